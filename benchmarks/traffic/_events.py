"""
One epoll for clients and servers.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable

from benchmarks.traffic._pace import Pace
from benchmarks.traffic._stream import Stream
from benchmarks.traffic._trouble import TrafficError, Trouble

READ = select.EPOLLIN
WRITE = select.EPOLLOUT

#: Seconds after which something that was waited for will not happen any more.
PATIENCE = 30.0

#: Seconds between two looks at the clock while nothing happens.
TICK = 0.02

#: Seconds between two looks at what is due, if something happens at a steady rate.
PACE_TICK = 0.001

Handler = Callable[[int], object]


class Events:
    """
    Gives the events of sockets to their handlers. Level-triggered, as that needs
    no state of its own.

    @ivar trouble: the errors, for all users of these events.
    @ivar paces: what happens at a steady rate.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self.trouble = Trouble()
        self.paces: list[Pace] = []

    def watch(self, sock: Stream, handler: Handler, events: int = READ) -> None:
        """
        Give events of this socket to a handler until L{forget}.
        """
        fd = sock.fileno()
        self._handlers[fd] = handler
        self._epoll.register(fd, events)

    def change(self, sock: Stream, events: int) -> None:
        """
        Watch for other events from now on.
        """
        self._epoll.modify(sock.fileno(), events)

    def handOver(self, sock: Stream, handler: Handler) -> None:
        """
        Give what there is to read to another handler from now on.
        """
        self._handlers[sock.fileno()] = handler
        self.change(sock, READ)

    def forget(self, sock: Stream) -> None:
        """
        Watch it no more, and close it.
        """
        # The system forgets a socket that is closed.
        self._handlers.pop(sock.fileno(), None)
        sock.close()

    def turn(self, patience: float = TICK) -> None:
        """
        Handle what has happened.

        @param patience: seconds to wait for anything.
        """
        handlers = self._handlers
        if self.paces:
            patience = min(patience, PACE_TICK)
            for pace in tuple(self.paces):
                pace.look()
        for fd, event in self._epoll.poll(patience, 256):
            handler = handlers.get(fd)
            # One that was closed by another of this batch has none any more.
            if handler is not None:
                handler(event)

    def runFor(self, seconds: float) -> None:
        """
        Handle events for so many seconds.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.turn()

    def runUntil(self, condition: Callable[[], object], what: str) -> None:
        """
        Handle events until something is so.

        @param what: that, in words.
        @raise TrafficError: it takes too long.
        """
        until = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > until:
                raise TrafficError(f"waited {PATIENCE:g} s in vain: {what}")
            self.turn()

    def close(self) -> None:
        """
        Close everything.
        """
        self._epoll.close()
