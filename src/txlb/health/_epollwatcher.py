"""
An epoll for the descriptors of checks.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

#: How many events are read at a time.
MAX_EVENTS = 256


@implementer(IReadDescriptor)
class EpollWatcher:
    """
    An epoll, which the reactor watches as one descriptor. It is made with the first
    descriptor.

    @param reactor: watches the epoll.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._epoll: select.epoll | None = None
        self._calls: dict[int, Callable[[], None]] = {}

    def watch(self, fd: int, want: int, call: Callable[[], None]) -> None:
        if self._epoll is None:
            self._epoll = select.epoll()
            self._reactor.addReader(self)
        if fd in self._calls:
            self._epoll.modify(fd, want)
        else:
            self._epoll.register(fd, want)
        self._calls[fd] = call

    def forget(self, fd: int) -> None:
        del self._calls[fd]
        if self._epoll is not None:
            # Closing the descriptor is not enough if a forked process has a copy of it.
            self._epoll.unregister(fd)

    def look(self) -> None:
        if self._calls:
            self.doRead()

    def fileno(self) -> int:
        return -1 if self._epoll is None else self._epoll.fileno()

    def doRead(self) -> None:
        if self._epoll is None:
            return
        ready = [(fd, self._calls.get(fd)) for fd, _ in self._epoll.poll(0, MAX_EVENTS)]
        for fd, call in ready:
            # A call before may have closed this descriptor, and another may have its number.
            if call is not None and self._calls.get(fd) is call:
                call()

    def doWrite(self) -> None:
        """
        Do nothing. The reactor calls this for an event that it took for the former owner of
        the descriptor in the same turn: the epoll is never written to.
        """

    def connectionLost(self, reason: Failure) -> None:
        """
        Have the epoll watched again. An epoll has no peer that could be gone, so the event
        was meant for the former owner of its descriptor, or the reactor ends.
        """
        if self._epoll is not None:
            self._reactor.addReader(self)

    def logPrefix(self) -> str:
        return "txlb.health"

    def stop(self) -> None:
        if self._epoll is not None:
            self._reactor.removeReader(self)
            self._epoll.close()
            self._epoll = None
