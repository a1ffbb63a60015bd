"""
One private epoll, hosted by the reactor.
"""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger

from txlb.deadlines import Deadlines
from txlb.proxy.fast._hosting import Hosting, ReaderHosting, hostingBy
from txlb.proxy.fast._pipes import PipePool
from txlb.proxy.fast._readbatching import ReadBatching
from txlb.proxy.fast._wheel import Wheel

#: What an end hears of that never had to wait: a socket can be written to when it
#: is registered, and to be told so is one event more for each connection.
READ_EDGES = select.EPOLLIN | select.EPOLLPRI | select.EPOLLRDHUP | select.EPOLLET

#: Everything that an end can hear of.
EDGES = READ_EDGES | select.EPOLLOUT

#: Seconds of bulk, or of small traffic, before the other and the reactor have
#: their turn.
BUDGET = 0.003

#: Seconds of bulk after which small traffic is looked at.
SLICE = 0.0005

#: Events that one system call gives at most.
EVENTS = 256

#: How many slots the table of handlers grows by.
GROWTH = 1024

Handler = Callable[[int], object]

_log = Logger()


class Bulk(Protocol):
    """
    A direction that has much to move.
    """

    queued: bool

    def moveBulk(self) -> None:
        """
        Move a part of it.
        """


class Closable(Protocol):
    """
    Something to be closed.
    """

    def close(self) -> None:
        """
        Close.
        """


class Loop:
    """
    The events of all fast relays of a balancer. Owned by its engine, which
    starts and stops it.

    @ivar seconds: the monotonic clock.
    @ivar now: the time by it when events were looked at last.
    @ivar inTurn: whether it is in the middle of a turn.
    @ivar deadlines: where other deadlines wait.
    @ivar wheel: the deadlines of the connections.
    @ivar pipes: the stock of pipes.
    @ivar patience: those that send much, and are read only when much has come.
    """

    def __init__(self, reactor: Any, deadlines: Deadlines) -> None:
        self._epoll = select.epoll()
        self._register = self._epoll.register
        self._poll = self._epoll.poll
        self._handlers: list[Handler | None] = [None] * GROWTH
        self._closing: list[Closable] = []
        self._bulk: deque[Bulk] = deque()
        self.inTurn = False
        self._ending = False
        self._reactor = reactor
        self._hosting: Hosting = ReaderHosting(self, reactor)
        self.deadlines: Deadlines = deadlines
        self.seconds = deadlines.seconds
        self.now = self.seconds()
        self.wheel = Wheel(deadlines)
        self.pipes = PipePool(seconds=self.seconds)
        self.batching = ReadBatching(deadlines, self.queueBulk)

    # Life

    def start(self) -> None:
        """
        Let the reactor host it.
        """
        self._hosting = hostingBy(self._reactor, self)
        self._hosting.begin()

    def stop(self) -> None:
        """
        Watch no more. All connections have ended by now, the last one maybe in
        this turn, which is finished first.
        """
        if self.inTurn:
            self._ending = True
            return
        self._hosting.end()
        self._closeAll()
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

    def watchAll(self, fd: int) -> None:
        """
        Give all of them from now on. What it is ready for already counts as new.
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
        Who gets the events of a descriptor; L{None} where nobody does.
        """
        return self._handlers[fd] if fd < len(self._handlers) else None

    def closeSoon(self, closable: Closable) -> None:
        """
        Close at the end of the batch of events that is being worked on.
        """
        self._closing.append(closable)
        if not self.inTurn:
            self._hosting.soon()

    def _closeAll(self) -> None:
        closing, self._closing = self._closing, []
        for closable in closing:
            closable.close()

    # As a reactor, to those who accept

    def addReader(self, reader: IReadDescriptor) -> None:
        """
        Watch a listening socket.
        """
        fd = reader.fileno()
        doRead = reader.doRead
        self.handle(fd, lambda _: doRead())
        # As long as somebody waits, not only when somebody comes.
        self._register(fd, select.EPOLLIN)

    def removeReader(self, reader: IReadDescriptor) -> None:
        """
        Watch it no more.
        """
        fd = reader.fileno()
        if fd >= 0 and self.handlerOf(fd) is not None:
            self._handlers[fd] = None
            self._epoll.unregister(fd)

    # Turns

    def fileno(self) -> int:
        """
        The descriptor of its epoll.
        """
        return self._epoll.fileno()

    @property
    def pending(self) -> bool:
        """
        Whether there is something to do that no event will tell of.
        """
        return bool(self._bulk or self._closing)

    def turn(self, timeout: float = 0.0, batches: int = 1) -> bool:
        """
        Wait for events, and do what they tell.

        @param timeout: seconds to wait at most; less than 0 for as long as it
            takes.
        @param batches: how many batches of small traffic, as long as there is
            some and nothing else.
        @return: whether there were any events.
        """
        self.inTurn = True
        try:
            busy = self._dispatch(timeout)
            if busy and batches > 1:
                self._dispatchMore(batches - 1)
            if self._bulk and not self._ending:
                self._moveBulk(BUDGET / 2)
        finally:
            self.inTurn = False
        if self._ending:
            self.stop()
        return busy

    def _dispatchMore(self, batches: int) -> None:
        until = self.now + BUDGET
        for _ in range(batches):
            # Bulk looks at small traffic itself, after each slice.
            if self._bulk or self._ending or self.seconds() > until or not self._dispatch(0):
                break

    def catchUp(self) -> None:
        """
        Do what is pending.
        """
        self.inTurn = True
        try:
            self._moveBulk(BUDGET)
        finally:
            self.inTurn = False
        if self._ending:
            self.stop()

    def _dispatch(self, timeout: float) -> bool:
        """
        Give a batch of events to their handlers.

        @return: whether there were any.
        """
        handlers = self._handlers
        events = self._poll(timeout, EVENTS)
        self.now = self.seconds()
        for fd, event in events:
            handler = handlers[fd]
            if handler is not None:
                try:
                    handler(event)
                except Exception:  # noqa: BLE001 - it ends that connection alone
                    self._broke(handler)
        if self._closing:
            self._closeAll()
        return bool(events)

    def _broke(self, handler: Callable[..., object]) -> None:
        _log.failure("a connection broke")
        owner = getattr(handler, "__self__", None)
        breakDown = getattr(owner, "breakDown", None)
        if breakDown is not None:
            breakDown()

    def queueBulk(self, bulk: Bulk) -> None:
        """
        A direction has much to move; it waits for its turn.
        """
        if not bulk.queued:
            bulk.queued = True
            self._bulk.append(bulk)
            if not self.inTurn:
                self._hosting.soon()

    def _moveBulk(self, budget: float) -> None:
        """
        Move bulk, and close what has ended.

        @param budget: seconds that it may take.
        """
        queue = self._bulk
        self.now = now = self.seconds()
        until, look = now + budget, now + SLICE
        while queue:
            bulk = queue.popleft()
            bulk.queued = False
            try:
                bulk.moveBulk()
            except Exception:  # noqa: BLE001 - it ends that connection alone
                self._broke(bulk.moveBulk)
            now = self.seconds()
            if now > until or self._ending:
                break
            if now > look:
                # A small request must not wait for all of the bulk's turn.
                self._dispatch(0)
                look = now + SLICE
        if self._closing:
            self._closeAll()
        if queue and not self._ending:
            self._hosting.soon()
