"""
A file of hosts that is watched, for one or more groups.
"""

from __future__ import annotations

import os

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txlb.deadlines import Deadline, Deadlines
from txlb.discovery._entries import (
    MAX_DOCUMENT,
    DocumentError,
    GroupedEntries,
    Place,
    parseDocument,
)
from txlb.discovery._lines import parseLines
from txlb.discovery._sourcekind import Worker
from txlb.discovery._watchers import Watchers
from txlb.interfaces import IFindings
from txlb.process import Stamp, stampOf

_log = Logger()


class WatchedFile:
    """
    A file of hosts that is watched. Each group that it has hosts for is a watcher of its own, and
    it is read once for all of them.

    The file is looked at every C{interval} seconds, and read if it is another one than before and
    has not changed since the look before: so a file that is being written in place is read when it
    is complete. A file that is replaced by rename is always complete.

    @param path: its path.
    @param interval: seconds.
    @param deadlines: has the times of looks.
    @param worker: reads it in a thread.
    """

    def __init__(self, path: str, interval: float, deadlines: Deadlines, worker: Worker) -> None:
        self._path = path
        self._interval = interval
        self._deadlines = deadlines
        self._worker = worker
        self._watchers = Watchers()
        self._next: Deadline | None = None
        self._reading: Deferred[None] | None = None
        self._seen: Stamp | None = None
        self._read: Stamp | None = None

    def __bool__(self) -> bool:
        """
        Return whether a group watches it.
        """
        return bool(self._watchers)

    def watch(self, findings: IFindings, place: Place) -> None:
        """
        Watch it for a group. What is in it is reported before this returns, if it was read
        already.
        """
        first = not self._watchers
        self._watchers.add(findings, place)
        if first:
            self._seen = stampOf(self._path)
            self._look()

    def leave(self, findings: IFindings) -> None:
        """
        Watch it no more for a group.
        """
        self._watchers.remove(findings)
        if not self._watchers:
            if self._next is not None:
                self._next.cancel()
                self._next = None
            if self._reading is not None:
                self._reading.cancel()

    def _look(self) -> None:
        self._next = None
        stamp, before = stampOf(self._path), self._seen
        self._seen = stamp
        if stamp is None:
            self._watchers.failed(f"there is no file {self._path}, or it can't be looked at")
        elif stamp == before and stamp != self._read and self._reading is None:
            reading = self._reading = Deferred.fromCoroutine(self._take(stamp))
            reading.addErrback(_wentWrong)
            reading.addBoth(self._over)
        self._schedule()

    def _over(self, _: object) -> None:
        self._reading = None

    def _schedule(self) -> None:
        if self._watchers and self._next is None:
            self._next = self._deadlines.after(self._interval, self._look)

    async def _take(self, stamp: Stamp) -> None:
        try:
            entries = await self._worker.inThread(entriesOf, self._path, self._watchers.entries)
        except (DocumentError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self._read = stamp
            self._watchers.failed(f"{self._path}: {reason}")
            return
        if stampOf(self._path) != stamp:
            # It was changed while it was read. The next looks find it as it is then.
            return
        self._read = stamp
        await self._worker.run(self._watchers.found(entries))


def entriesOf(path: str, before: GroupedEntries | None = None) -> GroupedEntries:
    """
    Read a file of hosts. It is called in a thread.

    @param before: what was in it before.
    @raise DocumentError: it is no list of hosts.
    @raise OSError: it can't be read.
    """
    # Opening what is no file, such as a FIFO, may wait for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(MAX_DOCUMENT + 1) or b""
    if data.lstrip()[:1] in (b"[", b"{"):
        return GroupedEntries(parseDocument(data), before=before)
    return parseLines(data, before)


def _wentWrong(reason: Failure) -> None:
    if not reason.check(CancelledError):
        _log.failure("a file of hosts could not be read", reason)
