"""
The loop of the fast relays: one private epoll, hosted by the reactor.
"""

from __future__ import annotations

import select
from collections import deque
from typing import Any, Protocol

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger

from txlb.deadlines import Deadlines
from txlb.proxy._truncations import Truncations
from txlb.proxy.fast._handler import Calls, Handler, breakDown
from txlb.proxy.fast._hosting import Hosting, ReaderHosting, hostingBy
from txlb.proxy.fast._pipes import PipePool
from txlb.proxy.fast._readbatching import ReadBatching
from txlb.proxy.fast._wheel import Wheel

#: The events of an end that has not been blocked yet. A socket can be written to when it is
#: registered, and an event that says so would be one more for each connection.
READ_EDGES = select.EPOLLIN | select.EPOLLPRI | select.EPOLLRDHUP | select.EPOLLET

#: All events of an end.
EDGES = READ_EDGES | select.EPOLLOUT

#: Seconds of bulk, or of small traffic, before the other and the reactor have their turn. Without
#: a bound a few streams would hold the reactor for up to 400 ms; with this the 99th percentile
#: of small requests beside bulk was 1.4 to 3.7 ms.
BUDGET = 0.003

#: Seconds of bulk after which the loop looks for small traffic: a sixth of the budget.
SLICE = 0.0005

#: Seconds for which other work of the reactor's thread goes on without a look at the events.
LATE = 0.00003

#: Seconds in which the next event of a connection may come after an event to which other work has
#: given way, and seconds for which that work gives way to further ones at most. The steps of one
#: connection on a near network are 0.1 ms apart.
NEAR, LONGEST = 0.0003, 0.002

#: Events of one system call at most.
EVENTS = 256

#: Entries by which the table of handlers grows.
GROWTH = 1024

_log = Logger()


class Bulk(Protocol):
    """
    A direction that has much to move.

    @ivar queued: whether it waits for its turn; the loop keeps this.
    """

    queued: bool

    def moveBulk(self) -> None:
        """
        Move a part of the bytes.
        """


class Closable(Protocol):
    """
    An object that is closed at the end of a batch.
    """

    def close(self) -> None:
        """
        Close.
        """


class Loop:
    """
    The loop that handles the events of all fast relays of a balancer. Owned by the balancer's
    engine, which starts and stops it.

    @ivar reactor: the reactor that hosts it.
    @ivar seconds: the monotonic clock.
    @ivar now: the time, by that clock, when the loop looked for events last.
    @ivar inTurn: whether it is in the middle of a turn.
    @ivar deadlines: where other deadlines wait.
    @ivar wheel: the deadlines of the connections.
    @ivar truncations: the log of TLS streams that were cut off.
    @ivar pipes: the pool of pipes.
    @ivar patience: the ends that send much, and are read only when much has come.
    """

    def __init__(self, reactor: Any, deadlines: Deadlines) -> None:
        self._epoll = select.epoll()
        self._register = self._epoll.register
        self._poll = self._epoll.poll
        self._handlers: list[Handler | None] = [None] * GROWTH
        self._closing: list[Closable] = []
        self._bulk: deque[Bulk] = deque()
        self.inTurn = False
        # When small traffic is looked for next, while bulk is moved.
        self._look = 0.0
        self._ending = False
        self.reactor = reactor
        self._hosting: Hosting = ReaderHosting(self, reactor)
        self.deadlines: Deadlines = deadlines
        self.seconds = deadlines.seconds
        self.now = self.seconds()
        self.wheel = Wheel(deadlines)
        self.truncations = Truncations(deadlines)
        self.pipes = PipePool(seconds=self.seconds)
        self.batching = ReadBatching(deadlines, self.queueBulk)

    # Life

    def start(self) -> None:
        """
        Let the reactor host it.
        """
        self._hosting = hostingBy(self.reactor, self)
        self._hosting.begin()

    def stop(self) -> None:
        """
        Close the epoll. All connections have ended by now. If the last one has ended in this
        turn, the turn is finished first.
        """
        self._ending = True
        if self.inTurn:
            return
        self._hosting.end()
        self.closePending()
        self.wheel.stop()
        self.batching.stop()
        self.pipes.close()
        self._epoll.close()

    # Descriptors

    def watch(self, fd: int, handler: Handler, events: int = EDGES) -> None:
        """
        Give events of a descriptor to a handler, until it is closed.
        """
        # As handle() does it, without the call: each connection comes here twice.
        try:
            self._handlers[fd] = handler
        except IndexError:
            self.handle(fd, handler)
        self._register(fd, events)

    def unwatch(self, fd: int) -> None:
        """
        Give no more events of a descriptor that stays open in another process. Closing alone
        would leave it in the epoll.
        """
        self.handle(fd, None)
        self._epoll.unregister(fd)

    def watchAll(self, fd: int) -> None:
        """
        Give all events of a descriptor from now on. The events that are there already count
        as new.
        """
        self._epoll.modify(fd, EDGES)

    def handle(self, fd: int, handler: Handler | None) -> None:
        """
        Give the events of a descriptor to this handler from now on.

        @param handler: L{None} to drop them.
        """
        try:
            self._handlers[fd] = handler
        except IndexError:
            self._handlers += [None] * (fd - len(self._handlers) + GROWTH)
            self._handlers[fd] = handler

    def handlerOf(self, fd: int) -> Handler | None:
        """
        Find the handler of a descriptor's events; L{None} for none.
        """
        return self._handlers[fd] if fd < len(self._handlers) else None

    def closeSoon(self, closable: Closable) -> None:
        """
        Close at the end of the batch of events that is being worked on.
        """
        self._closing.append(closable)
        if not self.inTurn:
            self._hosting.soon()

    def closePending(self) -> None:
        """
        Close what is to be closed, outside a turn.
        """
        closing, self._closing = self._closing, []
        for closable in closing:
            closable.close()

    # As a reactor, for listening sockets

    def addReader(self, reader: IReadDescriptor) -> None:
        """
        Watch a listening socket.
        """
        fd = reader.fileno()
        doRead = reader.doRead
        self.handle(fd, Calls(lambda _: doRead()))
        # Level-triggered: as long as clients wait, and not only when one comes.
        self._register(fd, select.EPOLLIN)

    def removeReader(self, reader: IReadDescriptor) -> None:
        """
        Stop watching a listening socket.
        """
        fd = reader.fileno()
        if fd >= 0 and self.handlerOf(fd) is not None:
            self._handlers[fd] = None
            self._epoll.unregister(fd)

    # Turns

    def fileno(self) -> int:
        """
        Return the descriptor of the epoll.
        """
        return self._epoll.fileno()

    @property
    def pending(self) -> bool:
        """
        Whether there is work that no event will tell.
        """
        return bool(self._bulk or self._closing)

    def turn(self, timeout: float = 0.0, batches: int = 1) -> int:
        """
        Wait for events and handle them, then move bulk.

        @param timeout: seconds to wait at most; less than 0 for no bound.
        @param batches: batches of small traffic at most, as long as there is some and no bulk.
        @return: the number of events of the first batch.
        """
        self.inTurn = True
        try:
            events = self._dispatch(timeout)
            if events and batches > 1:
                self._dispatchMore(batches - 1)
            if self._bulk and not self._ending:
                self._moveBulk(BUDGET / 2)
        finally:
            self.inTurn = False
        if self._ending:
            self.stop()
        return events

    def _dispatchMore(self, batches: int) -> None:
        until = self.now + BUDGET
        for _ in range(batches):
            # Bulk looks for small traffic itself, after each slice.
            if self._bulk or self._ending or self.seconds() > until or not self._dispatch(0):
                break

    def look(self) -> bool:
        """
        Handle the events that are there, in the midst of other work of the reactor's thread,
        unless the last look at them was a moment ago. Inside a turn, and after the end, it does
        nothing.

        @return: whether there were events of its own, and not of the reactor alone.
        """
        if self.inTurn or self._ending or self.seconds() - self.now <= LATE:
            return False
        hosting = self._hosting
        # The loop tells it again, as long as the reactor has events.
        hosting.reactorIsReady = False
        return self.turn() > hosting.reactorIsReady

    def giveWay(self) -> None:
        """
        Let relayed connections go on, in the midst of work that can wait. The next events of a
        connection are often near, and come first too: it would meet the work again at each of
        its steps otherwise.
        """
        if not self.look():
            return
        until, last = self.now + LONGEST, self.now
        while not self._ending and (now := self.seconds()) < until and now - last < NEAR:
            if self.look():
                last = self.now

    def catchUp(self) -> None:
        """
        Do the work that is pending.
        """
        self.inTurn = True
        try:
            self._moveBulk(BUDGET)
        finally:
            self.inTurn = False
        if self._ending:
            self.stop()

    def _dispatch(self, timeout: float) -> int:
        """
        Give a batch of events to their handlers.

        @return: their number.
        """
        handlers = self._handlers
        events = self._poll(timeout, EVENTS)
        self.now = self.seconds()
        for fd, event in events:
            handler = handlers[fd]
            if handler is not None:
                try:
                    handler.event(event)
                except Exception:  # noqa: BLE001 - it ends only that connection
                    _broke(handler)
        if self._closing:
            self.closePending()
        return len(events)

    def queueBulk(self, bulk: Bulk) -> None:
        """
        Have a direction that has much to move wait for its turn.
        """
        if not bulk.queued:
            bulk.queued = True
            self._bulk.append(bulk)
            if not self.inTurn:
                self._hosting.soon()

    def lookSoon(self) -> None:
        """
        Look for small traffic before the next direction that has much to move, as something took
        long.
        """
        self._look = 0.0

    def _moveBulk(self, budget: float) -> None:
        """
        Move bulk, and close what has ended.

        @param budget: seconds that it may take.
        """
        queue = self._bulk
        self.now = now = self.seconds()
        until, self._look = now + budget, now + SLICE
        while queue:
            bulk = queue.popleft()
            bulk.queued = False
            try:
                bulk.moveBulk()
            except Exception:  # noqa: BLE001 - it ends only that connection
                _broke(bulk)
            now = self.seconds()
            if now > until or self._ending:
                break
            if now > self._look:
                # A small request must not wait for the whole turn of bulk.
                self._dispatch(0)
                self._look = now + SLICE
        if self._closing:
            self.closePending()
        if queue and not self._ending:
            self._hosting.soon()


def _broke(owner: object) -> None:
    """
    Log what was raised, and end the connection of the object that raised it.
    """
    _log.failure("a connection broke")
    breakDown(owner)
