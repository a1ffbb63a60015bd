"""
Files with certificates and secrets, followed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb.deadlines import Deadline, Deadlines
from txlb.errors import ModelError

#: Seconds between two looks at the files.
POLL = 10.0

_log = Logger()


class FollowedFiles:
    """
    The files of certificates and secrets of a client, which are read again every L{POLL} seconds,
    as they are renewed while it runs. A file that can't be used is told once in the log, and the
    client goes on with what it has. Owned by what has the client.

    @param whose: their owner, for messages, such as C{cluster 'prod'}.
    @param known: what the files had when the client was made, see
        L{txlb.discovery.readFiles}.
    @param read: reads them in a thread, and fails with L{ModelError}.
    @param changed: is called with what they have, if that has changed. It raises L{ModelError} if
        that can't be used.
    """

    def __init__(
        self,
        whose: str,
        known: Mapping[str, bytes],
        read: Callable[[], Awaitable[Mapping[str, bytes]]],
        changed: Callable[[Mapping[str, bytes]], object],
    ) -> None:
        self._whose = whose
        self._known = known
        self._read = read
        self._changed = changed
        self._deadlines: Deadlines | None = None
        self._next: Deadline | None = None
        self._looking: Deferred[None] | None = None
        self._told = ""

    def start(self, deadlines: Deadlines) -> None:
        """
        Look at the files from now on, if there are some.

        @param deadlines: has the times.
        """
        if self._known:
            self._deadlines = deadlines
            self._schedule(deadlines)

    def stop(self) -> None:
        """
        Look no more.
        """
        self._deadlines = None
        if self._next is not None:
            self._next.cancel()
            self._next = None
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()

    def _schedule(self, deadlines: Deadlines) -> None:
        self._next = deadlines.after(POLL, self._begin)

    def _begin(self) -> None:
        self._next = None
        looking = self._looking = Deferred.fromCoroutine(self._look())
        looking.addErrback(_wentWrong)
        looking.addCallback(self._again)

    async def _look(self) -> None:
        try:
            found = await self._read()
            if found != self._known:
                self._changed(found)
                self._known = found
                _log.info("renewed files of {whose} are used from now on", whose=self._whose)
            self._told = ""
        except ModelError as error:
            told = str(error)
            if told != self._told:
                self._told = told
                _log.warn("{fault}; what was read before goes on", fault=told)

    def _again(self, _: None) -> None:
        self._looking = None
        if self._deadlines is not None:
            self._schedule(self._deadlines)


def _wentWrong(reason: Failure) -> None:
    if not reason.check(CancelledError):
        _log.failure("files of certificates and secrets were not looked at", reason)
