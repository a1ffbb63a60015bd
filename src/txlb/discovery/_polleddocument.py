"""
A document of hosts that a server has, for one or more groups.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb.clients import Fetcher, FetchError, TLSPolicy
from txlb.deadlines import Retry
from txlb.discovery._catalogs import entriesIn
from txlb.discovery._entries import MAX_DOCUMENT, DocumentError, Place
from txlb.discovery._optionfiles import readFiles
from txlb.discovery._sourcekind import SourceTools
from txlb.discovery._watchers import Watchers
from txlb.errors import ModelError
from txlb.interfaces import IFindings

#: The owner of the options, for messages.
WHOSE = "the http source"

_log = Logger()


class PolledDocument:
    """
    A document that is asked for every C{interval} seconds, and after failures with pauses that
    grow to 30 seconds. Each group that it has hosts for is a watcher of its own.

    Files of certificates and secrets are read before each request, so that they may be replaced.

    @param options: the values of all options.
    @param tools: the objects that sources are made with; those of the first group.
    """

    def __init__(self, options: Mapping[str, Any], tools: SourceTools) -> None:
        self._options = options
        self._tools = tools
        self._watchers = Watchers()
        self._retry = Retry(tools.deadlines, self._ask)
        self._asking: Deferred[None] | None = None
        self._fetcher: Fetcher | None = None
        # The files that the fetcher was made with.
        self._files: dict[str, bytes] = {}
        self._tag = ""
        self._data: bytes | None = None

    def __bool__(self) -> bool:
        """
        Return whether a group watches it.
        """
        return bool(self._watchers)

    def watch(self, findings: IFindings, place: Place) -> None:
        """
        Watch it for a group. What is in it is reported before this returns, if it is known.
        """
        first = not self._watchers
        self._watchers.add(findings, place)
        if first:
            self._ask()

    def leave(self, findings: IFindings) -> None:
        """
        Watch it no more for a group.
        """
        self._watchers.remove(findings)
        if not self._watchers:
            self._retry.stop()
            asking, self._asking = self._asking, None
            if asking is not None:
                asking.cancel()
            self._close()

    def _close(self) -> None:
        fetcher, self._fetcher = self._fetcher, None
        if fetcher is not None:
            fetcher.close()

    def _ask(self) -> None:
        asking = self._asking = Deferred.fromCoroutine(self._take())
        asking.addErrback(self._wentWrong)

    def _wentWrong(self, reason: Failure) -> None:
        if reason.check(CancelledError) or not self._watchers:
            return
        if reason.check(FetchError, DocumentError, ModelError):
            told = reason.getErrorMessage()
        else:
            _log.failure("{url} could not be asked for", reason, url=self._shown)
            told = f"{self._shown} could not be asked for; see the log"
        self._retry.later()
        self._watchers.failed(told)

    @property
    def _shown(self) -> str:
        url: str = self._options["url"]
        return url.partition("?")[0]

    async def _take(self) -> None:
        """
        Ask for it, and report what it says.

        @raise FetchError: there is no answer.
        @raise DocumentError: it is no document of hosts.
        @raise ModelError: a file that an option names can't be used.
        """
        worker, options = self._tools.worker, self._options
        files = await worker.aside(readFiles, options, self._tools.folder, _label)
        if self._fetcher is None or files != self._files:
            self._close()
            self._fetcher = self._makeFetcher(files)
            self._files = files
        fetched = await self._fetcher.fetch(self._credentials(files), self._tag)
        entries = self._watchers.entries
        if fetched is not None:
            if entries is None or fetched.data != self._data:
                try:
                    entries = await worker.inThread(
                        entriesIn, fetched.data, options["form"], entries
                    )
                except DocumentError as error:
                    raise DocumentError(f"{self._shown}: {error}") from None
            self._data, self._tag = fetched.data, fetched.tag
        self._retry.again(options["interval"])
        if entries is not None:
            # What is the same as before is reported too: the answer is that old now.
            await worker.run(self._watchers.found(entries))

    def _makeFetcher(self, files: Mapping[str, bytes]) -> Fetcher:
        try:
            policy = TLSPolicy(files.get("ca"), files.get("clientCertificate"))
        except ModelError as error:
            raise ModelError(f"{error}, of {WHOSE}") from None
        return Fetcher(
            self._tools.reactor,
            self._options["url"],
            most=MAX_DOCUMENT,
            timeout=self._options["timeout"],
            policy=policy,
        )

    def _credentials(self, files: Mapping[str, bytes]) -> dict[str, str]:
        if "tokenFile" in files:
            return {"Authorization": f"Bearer {files['tokenFile'].decode()}"}
        if "passwordFile" in files:
            pair = self._options["user"].encode() + b":" + files["passwordFile"]
            return {"Authorization": f"Basic {b64encode(pair).decode()}"}
        return {}


def _label(option: str) -> str:
    return f"{option} of {WHOSE}"
