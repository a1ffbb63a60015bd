"""
Reading those that send much less often.

Somebody who sends without a pause, and faster than we can be told of it, costs a
wake-up for each few packets. So when a burst has lasted for long enough, its socket is
told to say nothing before much has come (SO_RCVLOWAT): the same bytes in fewer turns.

What comes last may be less than that. So the patient are looked at once a tick, and
one from whom nothing has come meanwhile is told of everything again. The end of a
long burst is late by two ticks at most, once; the end of a connection never is, as
the system tells of that at once.
"""

from __future__ import annotations

import _socket
import contextlib
import socket
from collections.abc import Callable
from typing import Any, Protocol

from txlb.deadlines import Deadline, Deadlines

#: Bytes after which a burst has lasted for long enough.
LASTING = 8 << 20

#: Bytes that have to come before the patient are read.
MUCH = 524288

#: Seconds between two looks.
TICK = 0.001


class Sender(Protocol):
    """
    An end that sends much.

    @ivar burst: bytes that have been moved since it began to send much.
    @ivar connection: its connection, which says whether it is C{over}.
    @ivar batched: whether it is read only when much has come.
    @ivar queued: whether it waits for its turn of bulk.
    """

    burst: int
    batched: bool
    queued: bool

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
        # With how much had come from each at the last look.
        self._seen: dict[Sender, int] = {}
        self._next: Deadline | None = None

    def __len__(self) -> int:
        """
        How many there are.
        """
        return len(self._seen)

    def begin(self, end: Sender) -> None:
        """
        Be patient with an end.
        """
        if not _tellFrom(end, MUCH):
            return
        end.batched = True
        self._seen[end] = end.burst
        if self._next is None:
            self._next = self._deadlines.after(TICK, self._look)

    def _look(self) -> None:
        self._next = None
        for end, before in list(self._seen.items()):
            if end.connection.over:
                del self._seen[end]
            elif end.burst != before:
                self._seen[end] = end.burst
            else:
                del self._seen[end]
                end.batched = False
                end.burst = 0
                _tellFrom(end, 1)
                self._again(end)
        if self._seen:
            self._next = self._deadlines.after(TICK, self._look)

    def stop(self) -> None:
        """
        Look at nobody any more.
        """
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._seen.clear()


def _tellFrom(end: Sender, count: int) -> bool:
    """
    Let the system tell of an end when so many bytes have come.

    @return: whether it does.
    """
    with contextlib.suppress(OSError):
        end.socket().setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
        return True
    return False
