"""
Reading ends that send much less often.

An end that sends without a pause, and faster than the loop handles its events, costs a wake-up
for each few packets. So when a burst has lasted for long enough, the system is told to report
that end only when much has come (C{SO_RCVLOWAT}): the same bytes in fewer turns.

The last bytes of a burst may be less than that. So the loop looks at such ends once a tick. One
that got nothing meanwhile, and has bytes waiting, is read: they are late by two ticks at most. One
that is quiet for some ticks is reported for each byte again, so that small messages after a burst
are not late. The end of a connection is never late, as the system reports it at once.
"""

from __future__ import annotations

import _socket
import contextlib
import socket
from collections.abc import Callable
from typing import Any, Protocol

from txlb.deadlines import Deadline, Deadlines
from txlb.proxy._sockets import bytesToRead

#: Bytes after which a burst has lasted for long enough: shorter answers are not delayed.
LASTING = 8 << 20

#: Bytes that have to come before such an end is read: half of what a pipe holds.
MUCH = 524288

#: Seconds between two looks. A look and the wake-up for it cost about 15 microseconds.
TICK = 0.002

#: Looks at an end that got nothing, after which it is reported for each byte again. A sender that
#: is only held up for a moment stays batched.
QUIET = 4


class Sender(Protocol):
    """
    An end that sends much.

    @ivar burst: bytes that have been moved since it began to send much.
    @ivar connection: its connection, which says whether it is C{over}.
    @ivar batched: whether it is read only when much has come.
    @ivar fd: the descriptor of its socket.
    @ivar queued: whether it waits for its turn of bulk.
    """

    burst: int
    batched: bool
    fd: int
    queued: bool

    @property
    def isHeldUp(self) -> bool:
        """
        Whether it is not read now because its peer takes no more.
        """
        ...

    @property
    def connection(self) -> Any: ...

    def socket(self) -> _socket.socket:
        """
        Return the object for its socket.
        """
        ...

    def moveBulk(self) -> None:
        """
        Have a turn of bulk.
        """


class ReadBatching:
    """
    The ends that are read only when much has come. Owned by a loop.

    @param again: is called with an end that is to be read now.
    """

    def __init__(self, deadlines: Deadlines, again: Callable[[Sender], object]) -> None:
        self._deadlines = deadlines
        self._again = again
        # Each end, with C{burst} at the last look, and the looks since it has changed.
        self._seen: dict[Sender, tuple[int, int]] = {}
        self._next: Deadline | None = None

    def __len__(self) -> int:
        """
        Count the ends.
        """
        return len(self._seen)

    def begin(self, end: Sender) -> None:
        """
        Read an end only when much has come, from now on.
        """
        if not _tellFrom(end, MUCH):
            return
        end.batched = True
        self._seen[end] = end.burst, 0
        if self._next is None:
            self._next = self._deadlines.after(TICK, self._look)

    def _look(self) -> None:
        self._next = None
        for end, (before, looks) in list(self._seen.items()):
            if end.connection.over:
                del self._seen[end]
            elif end.burst != before:
                self._seen[end] = end.burst, 0
            elif looks >= QUIET or end.isHeldUp:
                del self._seen[end]
                end.batched = False
                end.burst = 0
                _tellFrom(end, 1)
                self._again(end)
            else:
                self._seen[end] = before, looks + 1
                if bytesToRead(end.fd):
                    self._again(end)
        if self._seen:
            self._next = self._deadlines.after(TICK, self._look)

    def stop(self) -> None:
        """
        Stop looking at ends.
        """
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._seen.clear()


def _tellFrom(end: Sender, count: int) -> bool:
    """
    Have the system report an end when so many bytes have come.

    @return: whether the system does so.
    """
    with contextlib.suppress(OSError):
        end.socket().setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
        return True
    return False
