"""
Watching the descriptors of checks by the reactor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.health._watcher import WRITE


class ReactorWatcher:
    """
    A watcher that has the reactor watch each descriptor.

    @param reactor: watches the descriptors.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._watched: dict[int, _Descriptor] = {}

    def watch(self, fd: int, want: int, call: Callable[[], None]) -> None:
        if fd in self._watched:
            self.forget(fd)
        add = self._reactor.addWriter if want == WRITE else self._reactor.addReader
        self._watched[fd] = _Descriptor(fd, call, add)

    def forget(self, fd: int) -> None:
        descriptor = self._watched.pop(fd)
        descriptor.isForgotten = True
        self._reactor.removeReader(descriptor)
        self._reactor.removeWriter(descriptor)

    def look(self) -> None:
        pass

    def stop(self) -> None:
        for fd in tuple(self._watched):
            self.forget(fd)


@implementer(IReadWriteDescriptor)
class _Descriptor:
    """
    A descriptor for the reactor to watch.

    @param call: is called for each of its events.
    @param add: has the reactor watch it, for reading or for writing.

    @ivar isForgotten: whether it is watched no more.
    """

    def __init__(
        self, fd: int, call: Callable[[], None], add: Callable[[_Descriptor], object]
    ) -> None:
        self._fd = fd
        self._call = call
        self._add = add
        self.isForgotten = False
        add(self)

    def fileno(self) -> int:
        return self._fd

    def doRead(self) -> None:
        self._call()

    def doWrite(self) -> None:
        self._call()

    def connectionLost(self, reason: Failure) -> None:
        """
        Have it watched again, and call. An error of the socket is for the conversation to
        find; without one the event was meant for the former owner of the descriptor.
        """
        if not self.isForgotten:
            self._add(self)
            self._call()

    def logPrefix(self) -> str:
        return "txlb.health"
