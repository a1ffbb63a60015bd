"""
Hosts from etcd.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.clients import Changes, EtcdClient, EtcdError, EtcdWatch, KeyValue
from txlb.deadlines import Deadline, Retry
from txlb.discovery._entries import MAX_HOSTS, foundHost
from txlb.discovery._etcdlooks import EtcdLooks
from txlb.discovery._foundhost import FoundHost
from txlb.discovery._optionfiles import credentialsIn, readFiles
from txlb.discovery._sourcekind import SourceTools
from txlb.errors import ModelError
from txlb.interfaces import IFindings, IHostSource
from txlb.model import shown

#: Seconds from a change to its report. What changes meanwhile is reported together.
SOON = 0.05

#: Seconds that the watched member has to answer a look. Nothing is asked of it but a number.
LOOK_TIMEOUT = 2.0

#: Seconds of the first pause before another try, and of a pause at most. A cluster that is back is
#: used within a second.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 0.4

#: Bytes of the value of a key at most.
MAX_VALUE = 64 * 1024

#: The owner of the options, for messages.
WHOSE = "the etcd source"

_log = Logger()


@implementer(IHostSource)
class EtcdSource:
    """
    The hosts of one group from the keys of etcd with a prefix. The rest of a key is the name of
    its host; its value is an entry of a document of hosts, in JSON.

    It lists the keys, and watches them from then on. If the watch ends it lists them again, so
    that nothing is missed.

    @param options: the values of all options.
    @param tools: the objects that sources are made with.
    @raise ModelError: the options don't go together.
    """

    def __init__(self, options: Mapping[str, Any], tools: SourceTools) -> None:
        self._prefix: str = options["prefix"].rstrip("/") + "/"
        self.origin = f"etcd:{self._prefix.rstrip('/')}"[:255]
        self._options = options
        self._tools = tools
        self._client: EtcdClient | None = None
        # The files that the client was made with.
        self._files: dict[str, bytes] = {}
        self._findings: IFindings | None = None
        self._retry = Retry(tools.deadlines, self._list, first=FIRST_PAUSE, longest=LONGEST_PAUSE)
        self._watch: EtcdWatch | None = None
        self._asking: Deferred[None] | None = None
        self._soon: Deadline | None = None
        # While the source is followed: shared with the other sources of this etcd.
        self._looks: EtcdLooks | None = None
        # By their keys: the host, or the sentence about what is wrong with the entry.
        self._entries: dict[str, FoundHost | str] = {}
        # What has changed and was not read yet: the newest value of each key, None without one.
        self._unread: dict[str, KeyValue | None] = {}
        self._reading: Deferred[None] | None = None

    def start(self, findings: IFindings) -> None:
        """
        List the keys, and watch them.
        """
        self._findings = findings
        shared = self._tools.shared
        self._looks = shared.get(self._place) or EtcdLooks(self._tools.deadlines)
        shared[self._place] = self._looks
        self._looks.add(self)
        self._list()

    @property
    def _place(self) -> tuple[str, object]:
        return "etcd", tuple(self._options["url"])

    def stop(self) -> None:
        """
        Watch no more.
        """
        self._findings = None
        looks, self._looks = self._looks, None
        if looks is not None:
            looks.remove(self)
            if not looks:
                del self._tools.shared[self._place]
        self._retry.stop()
        self._endWatch()
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()
        self._close()

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _endWatch(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
        self._unread.clear()
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()

    # Listing

    def _list(self) -> None:
        self._endWatch()
        asking = self._asking = Deferred.fromCoroutine(self._begin())
        asking.addErrback(self._failed)

    async def _begin(self) -> None:
        client = await self._connected()
        found, revision = await client.list(self._prefix)
        self._entries.clear()
        self._unread = {each.key: each for each in found}
        await self._tools.worker.run(self._read())
        self._asking = None
        self._watch = EtcdWatch(client, self._prefix, revision + 1, self._changed, self._lost)
        self._watch.start(self._tools.reactor)
        self._report()

    async def _connected(self) -> EtcdClient:
        """
        Return the client, or another one if a file that an option names was replaced.

        @raise ModelError: such a file can't be used.
        """
        tools = self._tools
        files = await tools.worker.aside(readFiles, self._options, tools.folder, _label)
        if self._client is None or files != self._files:
            client = clientOf(self._options, files, tools.reactor)
            self._close()
            self._client, self._files = client, files
        return self._client

    def _failed(self, reason: Failure) -> None:
        self._asking = None
        if reason.check(CancelledError):
            return
        if reason.check(EtcdError, ModelError):
            told = reason.getErrorMessage()
        else:
            _log.failure("{source} could not be listed", reason, source=self.origin)
            told = "it could not be listed; see the log"
        self._lost(told)

    def _lost(self, why: str) -> None:
        """
        List the keys again soon, as the watch has ended or could not begin.
        """
        self._endWatch()
        if self._findings is not None:
            if self._client is not None:
                self._client.nextMember()
            self._retry.later()
            self._findings.failed(why)

    # Watching

    def _changed(self, changes: Changes) -> None:
        self._unread.update((each.key, each) for each in changes.put)
        self._unread.update(dict.fromkeys(changes.removed))
        if self._soon is None and self._reading is None:
            self._soon = self._tools.deadlines.after(SOON, self._readSoon)

    def _readSoon(self) -> None:
        self._soon = None
        reading = Deferred.fromCoroutine(self._tools.worker.run(self._read()))
        self._reading = None if reading.called else reading
        reading.addCallback(self._wasRead)
        reading.addErrback(self._failed)

    def _wasRead(self, _: None) -> None:
        self._reading = None
        self._report()

    def _read(self) -> Iterator[None]:
        """
        Read what has changed, one key in each step: there may be thousands.
        """
        while self._unread:
            unread, self._unread = self._unread, {}
            for key, found in unread.items():
                if found is None:
                    self._entries.pop(key, None)
                else:
                    self._entries[key] = self._entryOf(found)
                yield

    @property
    def member(self) -> str:
        """
        The URL of the member that is watched; empty while none is.
        """
        return "" if self._watch is None else self._watch.member

    async def look(self) -> None:
        """
        Ask the watched member for something that its leader has to confirm.

        @raise EtcdError: it has not done it.
        """
        if self._client is not None:
            await self._client.ping(self._prefix, LOOK_TIMEOUT)

    def looked(self, trouble: Failure | None) -> None:
        """
        Take note of what became of a look at the watched member.
        """
        if trouble is None:
            self._retry.good()
        else:
            self._failed(trouble)

    def _entryOf(self, found: KeyValue) -> FoundHost | str:
        name = found.key.removeprefix(self._prefix)
        try:
            if len(found.value) > MAX_VALUE:
                return f"key {shown(found.key)} has more than {MAX_VALUE} bytes"
            entry = json.loads(found.value)
            if not isinstance(entry, dict):
                return f"key {shown(found.key)} has {shown(entry)}; it is an object"
            # The key is what is unique, so the name in it counts.
            return foundHost({**entry, "name": name})
        except (ModelError, ValueError, RecursionError) as error:
            return f"key {shown(found.key)}: {error}"

    def _report(self) -> None:
        if self._findings is None:
            return
        hosts = [each for each in self._entries.values() if isinstance(each, FoundHost)]
        wrong = [each for each in self._entries.values() if isinstance(each, str)]
        self._findings.found(hosts[:MAX_HOSTS], wrong)


def clientOf(options: Mapping[str, Any], files: Mapping[str, bytes], reactor: Any) -> EtcdClient:
    """
    Make a client as options say.

    @param files: what L{readFiles} has read.
    @raise ModelError: a certificate can't be used.
    """
    try:
        return EtcdClient(
            reactor,
            options["url"],
            user=options["user"] or "",
            **credentialsIn(files),
        )
    except ModelError as error:
        raise ModelError(f"{error}, of {WHOSE}") from None


def _label(option: str) -> str:
    return f"{option} of {WHOSE}"
