"""
A client that waits for a host with room.

Its socket is not read, so that the bytes that it sends meanwhile stay with the kernel, and
in the end with the client. So no event tells that the client has gone, and the relay looks
once a second. A client that has sent a request and then closed looks like one that has only
finished sending; it waits on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from txlb.deadlines import Deadlines
from txlb.pool import Attempt, GaveUp, Waiting
from txlb.proxy._acceptedclient import AcceptedClient, hasEnded

#: Seconds between two looks at a client that waits. A look is one or two system calls.
LOOK = 1.0

_log = Logger()


class ClientWait:
    """
    The wait of one client. Owned by its connection.

    @param sock: the client's socket, non-blocking, or an L{AcceptedClient}.
    @param waiting: its place in the queue.
    @param woken: is called with the next step of the search when the wait is over.
    @param left: is called if the client has gone before that.
    """

    def __init__(
        self,
        deadlines: Deadlines,
        sock: Any,
        waiting: Waiting,
        woken: Callable[[Attempt | GaveUp], object],
        left: Callable[[], object],
    ) -> None:
        self._deadlines = deadlines
        self._sock = sock
        self._waiting = waiting
        self._woken = woken
        self._left = left
        self._next = deadlines.after(LOOK, self._look)
        waiting.whenWoken(self._wake)

    def _wake(self, step: Attempt | GaveUp) -> None:
        self._next.cancel()
        try:
            self._woken(step)
        except Exception:  # noqa: BLE001 - this runs while another connection ends
            _log.failure("a client that had waited could not go on")

    def _look(self) -> None:
        if hasLeft(self._sock):
            self._waiting.dial.cancel()
            self._left()
        else:
            self._next = self._deadlines.after(LOOK, self._look)

    def cancel(self) -> None:
        """
        End the wait.
        """
        self._next.cancel()
        self._waiting.dial.cancel()


def hasLeft(sock: Any) -> bool:
    """
    Say whether a client has gone, as far as can be seen without reading it.

    @param sock: its socket, non-blocking, or an L{AcceptedClient}.
    """
    return sock.hasLeft if isinstance(sock, AcceptedClient) else hasEnded(sock)
