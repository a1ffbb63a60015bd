"""
How the reactor hosts the loop: one of the two waits for the other.

Any reactor that can watch a descriptor reads the loop's epoll like a socket
(L{ReaderHosting}). Each event then goes through the reactor, and takes two system calls that
wait.

Twisted's epoll reactor is hosted the other way round (L{EpollHosting}): the loop waits for its
own events and for the reactor's epoll at once, each time that the reactor would have waited. A
turn of the reactor stays the same, with due calls and calls from threads before each wait;
only the loop waits in its place.
"""

from __future__ import annotations

import math
import select
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.python.failure import Failure
from twisted.python.log import callWithLogger
from zope.interface import implementer

#: Batches of events a turn at most under L{ReaderHosting}, where a turn costs a way through the
#: reactor. A turn has a budget of time as well.
BATCHES = 8

#: Events of the reactor that are handled between two turns of the loop, at most. Hundreds may come
#: at once, such as clients that log in.
EVENTS = 8

#: Seconds that they take at most, about: if they have taken longer there are fewer the next time.
#: The event of a client that logs in takes up to half a millisecond.
SLICE = 0.0005


class Hosted(Protocol):
    """
    The part that is hosted: a L{txlb.proxy.fast.Loop}.

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
        Return the descriptor of its epoll.
        """

    def turn(self, timeout: float = 0.0, batches: int = 1) -> int:
        """
        Wait for events, and handle them.

        @return: their number.
        """

    def look(self) -> bool:
        """
        Handle the events that are there, in the midst of other work.
        """

    def catchUp(self) -> None:
        """
        Do the work that is pending.
        """

    def watch(self, fd: int, handler: Any, events: int) -> None:
        """
        Give events of a descriptor to a handler.
        """

    def handle(self, fd: int, handler: Any) -> None:
        """
        Give the events of a descriptor to another handler from now on.
        """


class Hosting(Protocol):
    """
    A way to host the loop.

    @ivar reactorIsReady: whether an event of the loop has told that the reactor has events.
    """

    reactorIsReady: bool

    def begin(self) -> None:
        """
        Give the loop its turns from now on.
        """

    def end(self) -> None:
        """
        Give the loop no more turns.
        """

    def soon(self) -> None:
        """
        Give the loop a turn soon, as it has something to do outside its turns.
        """


@implementer(IReadDescriptor)
class ReaderHosting:
    """
    The way in which the reactor reads the loop's epoll.
    """

    reactorIsReady = False

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
    The way in which the loop waits in the place of an epoll reactor, for its own events and
    for those of the reactor.

    @param theirs: the descriptor of the reactor's epoll.
    """

    def __init__(self, loop: Hosted, reactor: Any, theirs: int) -> None:
        self._loop = loop
        self._reactor = reactor
        self._theirs = theirs
        self.reactorIsReady = False
        self._most = EVENTS
        self._over = False
        self._doIteration = reactor.doIteration
        self._poll = reactor._poller.poll  # noqa: SLF001 - see _epollOf

    def begin(self) -> None:
        # Level-triggered: it tells as long as the reactor has events.
        self._loop.watch(self._theirs, self, select.EPOLLIN)
        self._reactor.doIteration = self.doIteration

    def end(self) -> None:
        self._over = True
        self._loop.handle(self._theirs, None)
        if self._reactor.doIteration == self.doIteration:
            del self._reactor.doIteration

    def soon(self) -> None:
        """
        Do nothing: before the next wait it looks whether the loop has something to do.
        """

    def event(self, event: int) -> None:
        """
        Take note that the reactor has events.
        """
        self.reactorIsReady = True

    def doIteration(self, delay: float | None) -> None:
        """
        Have a turn of the loop, and one of the reactor if that has events.

        @param delay: seconds to wait at most; L{None} for no bound.
        """
        loop, reactor = self._loop, self._reactor
        if self._over or loop.inTurn:
            # Another object has kept this method, or a handler iterates the reactor.
            self._doIteration(delay)
            return
        until = None if delay is None else loop.seconds() + delay
        calls = reactor._pendingTimedCalls  # noqa: SLF001 - see _epollOf
        first = calls[0].time if calls else math.inf
        pending = loop.pending
        while True:
            busy = loop.turn(0.0 if pending else -1.0 if delay is None else delay)
            if self.reactorIsReady:
                self.reactorIsReady = False
                self._handleSome()
                return
            pending = loop.pending
            if not (busy or pending) or self._over:
                return
            # There were events of the loop only: wait for more, unless the reactor has a call
            # to make by now or sooner than it had, or has been stopped.
            if not reactor.running or reactor._justStopped:  # noqa: SLF001 - only this tells
                return
            calls = reactor._pendingTimedCalls  # noqa: SLF001 - asking the reactor costs a third
            if reactor._newTimedCalls or (calls and calls[0].time < first):  # noqa: SLF001
                return
            if until is not None:
                delay = until - loop.now
                if delay <= 0:
                    return

    def _handleSome(self) -> None:
        """
        Handle events of the reactor as it does, but not all that there are. The others come in
        the next turns: the system gives those first that have waited for longest.
        """
        loop, reactor = self._loop, self._reactor
        look = loop.look
        handle = reactor._doReadOrWrite  # noqa: SLF001 - the reactor has no other way
        began = loop.seconds()
        for fd, event in self._poll(0, self._most):
            look()
            # A handler before this one may have removed it.
            selectable = reactor._selectables.get(fd)  # noqa: SLF001 - likewise
            if selectable is not None:
                callWithLogger(selectable, handle, selectable, fd, event)
        if loop.seconds() - began > SLICE:
            self._most = max(self._most // 2, 1)
        elif self._most < EVENTS:
            self._most += 1


def hostingBy(reactor: Any, loop: Hosted) -> Hosting:
    """
    Choose the better way that a reactor allows.
    """
    theirs = _epollOf(reactor)
    if theirs is None:
        return ReaderHosting(loop, reactor)
    return EpollHosting(loop, reactor, theirs)


def _epollOf(reactor: Any) -> int | None:
    """
    Find the descriptor of a reactor's epoll.

    @return: L{None} if it is not Twisted's own epoll reactor, or another loop waits in its
        place already.
    """
    # Imported here, as there is no epoll on other systems.
    from twisted.internet.epollreactor import EPollReactor  # noqa: PLC0415

    if type(reactor) is not EPollReactor or "doIteration" in vars(reactor):
        return None
    poller = getattr(reactor, "_poller", None)
    private = (
        "_doReadOrWrite",
        "_justStopped",
        "_newTimedCalls",
        "_pendingTimedCalls",
        "_selectables",
    )
    if not isinstance(poller, select.epoll) or not all(hasattr(reactor, each) for each in private):
        return None
    return poller.fileno()
