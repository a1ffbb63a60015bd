"""
How the reactor hosts the loop: which of the two waits for the other.

Any reactor that can watch a descriptor reads the loop's epoll like a socket
(L{ReaderHosting}). Each event then takes a way of its own through the reactor, and two
system calls that wait.

Under Twisted's epoll reactor it is turned inside out (L{EpollHosting}): the loop
waits for its own events and for the reactor's epoll at once, each time that the
reactor would have waited for its own. A turn of the reactor is one as before, with
calls that are due, and calls from threads, before each wait; only the waiting is the
loop's.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

#: Batches of events a turn at most, where the way through the reactor is long.
BATCHES = 8


class Hosted(Protocol):
    """
    What is hosted: a L{txlb.proxy.fast.Loop}.

    @ivar now: the time when it looked for events last, by the clock C{seconds}.
    @ivar pending: whether there is something to do that no event will tell of.
    @ivar inTurn: whether it is in the middle of a turn.
    """

    inTurn: bool
    now: float

    @property
    def pending(self) -> bool: ...

    @property
    def seconds(self) -> Callable[[], float]: ...

    def fileno(self) -> int:
        """
        The descriptor of its epoll.
        """

    def turn(self, timeout: float = 0.0, batches: int = 1) -> bool:
        """
        Wait for events, and do what they tell.

        @return: whether there were any.
        """

    def catchUp(self) -> None:
        """
        Do what is pending.
        """

    def watch(self, fd: int, handler: Any, events: int) -> None:
        """
        Give events of a descriptor to a handler.
        """

    def handle(self, fd: int, handler: Any) -> None:
        """
        Give its events to this handler from now on.
        """


class Hosting(Protocol):
    """
    One way to be hosted.
    """

    def begin(self) -> None:
        """
        From now on the loop has its turns.
        """

    def end(self) -> None:
        """
        From now on it has none.
        """

    def soon(self) -> None:
        """
        There is something to do, and it is not the loop's turn.
        """


@implementer(IReadDescriptor)
class ReaderHosting:
    """
    The reactor reads the loop's epoll.
    """

    def __init__(self, loop: Hosted, reactor: Any) -> None:
        self._loop = loop
        self._reactor = reactor
        self._call: IDelayedCall | None = None
        self._over = False

    def begin(self) -> None:
        self._reactor.addReader(self)

    def end(self) -> None:
        self._over = True
        self._reactor.removeReader(self)
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def soon(self) -> None:
        if self._call is None:
            self._call = self._reactor.callLater(0, self._catchUp)

    def _catchUp(self) -> None:
        self._call = None
        self._loop.catchUp()

    def fileno(self) -> int:
        return self._loop.fileno()

    def logPrefix(self) -> str:
        return "txlb.proxy.fast.Loop"

    def doRead(self) -> None:
        """
        Give the loop a turn.
        """
        self._loop.turn(0.0, BATCHES)

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
        if not self._over:
            self._reactor.addReader(self)


class EpollHosting:
    """
    The loop waits in the place of an epoll reactor, for itself and for that.

    @param theirs: the descriptor of the reactor's epoll.
    """

    def __init__(self, loop: Hosted, reactor: Any, theirs: int) -> None:
        self._loop = loop
        self._reactor = reactor
        self._theirs = theirs
        self._reactorIsReady = False
        self._over = False
        self._doIteration = reactor.doIteration

    def begin(self) -> None:
        # Level-triggered: as long as the reactor has something to do.
        self._loop.watch(self._theirs, self._heard, select.EPOLLIN)
        self._reactor.doIteration = self.doIteration

    def end(self) -> None:
        self._over = True
        self._loop.handle(self._theirs, None)
        if self._reactor.doIteration == self.doIteration:
            del self._reactor.doIteration

    def soon(self) -> None:
        """
        See L{Hosting}. The next wait looks for that itself.
        """

    def _heard(self, event: int) -> None:
        self._reactorIsReady = True

    def doIteration(self, delay: float | None) -> None:
        """
        What the reactor's own method does, and a turn of the loop.

        @param delay: seconds to wait at most; L{None} for as long as it takes.
        """
        loop, reactor = self._loop, self._reactor
        if self._over or loop.inTurn:
            # Somebody has kept this, or iterates within a turn.
            self._doIteration(delay)
            return
        until = None if delay is None else loop.seconds() + delay
        while True:
            busy = loop.turn(0.0 if loop.pending else -1.0 if delay is None else delay)
            if self._reactorIsReady:
                self._reactorIsReady = False
                self._doIteration(0)
                return
            if not (busy or loop.pending) or self._over:
                return
            # There was only something for the loop: wait for more, unless the reactor
            # has a call to make by now, or has been stopped.
            if not reactor.running or reactor._justStopped:  # noqa: SLF001 - only this tells
                return
            delay = reactor.timeout()
            if until is not None:
                left = until - loop.now
                if delay is None or left < delay:
                    delay = left
            if delay is not None and delay <= 0:
                return


def hostingBy(reactor: Any, loop: Hosted) -> Hosting:
    """
    The best way that a reactor has.
    """
    theirs = _epollOf(reactor)
    if theirs is None:
        return ReaderHosting(loop, reactor)
    return EpollHosting(loop, reactor, theirs)


def _epollOf(reactor: Any) -> int | None:
    """
    The descriptor of a reactor's epoll.

    @return: L{None} where it has none that is known, or another loop waits in
        its place already.
    """
    # Imported here, as there is no epoll on other systems.
    from twisted.internet.epollreactor import EPollReactor  # noqa: PLC0415

    if type(reactor) is not EPollReactor or "doIteration" in vars(reactor):
        return None
    poller = getattr(reactor, "_poller", None)
    if not isinstance(poller, select.epoll) or not hasattr(reactor, "_justStopped"):
        return None
    return poller.fileno()
