"""
A client that waits for a host with room.

Its socket is not read, so that what it sends meanwhile stays with the kernel and
in the end with the client. So nothing tells at once that it has gone: somebody
looks now and then. One that has asked something and then closed can't be told
from one that has only finished sending, and waits on.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from txlb.deadlines import Deadlines
from txlb.pool import Attempt, GaveUp, Waiting
from txlb.proxy._acceptedclient import AcceptedClient

#: Seconds between two looks at a client that waits.
LOOK = 1.0

_log = Logger()


class ClientWait:
    """
    The wait of one client. Owned by its connection.

    @param sock: the client's socket, non-blocking, or an L{AcceptedClient}.
    @param waiting: its place in the queue.
    @param woken: is called with what comes next when the wait is over.
    @param left: is called where the client has gone before that.
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
        except Exception:  # noqa: BLE001 - it happens while another's connection ends
            _log.failure("a client that had waited could not go on")

    def _look(self) -> None:
        if hasLeft(self._sock):
            self._waiting.dial.cancel()
            self._left()
        else:
            self._next = self._deadlines.after(LOOK, self._look)

    def cancel(self) -> None:
        """
        It waits no more.
        """
        self._next.cancel()
        self._waiting.dial.cancel()


def hasLeft(sock: Any) -> bool:
    """
    Whether a client has gone, as far as can be seen without reading it.

    @param sock: its socket, non-blocking, or an L{AcceptedClient}.
    """
    if isinstance(sock, AcceptedClient):
        return sock.hasLeft
    try:
        # After a reset what was sent before it can be read all the same.
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return True
        return not sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
