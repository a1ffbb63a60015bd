"""
Clients that wait because every host is full.

They are served in the order in which they came. If the host that has room could not be
reached for a client before, the next client is served instead. The relay reads no bytes
of a client while it waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from txlb.pool._timers import Timer, Timers

if TYPE_CHECKING:
    from txlb.pool._dial import Attempt, Dial, GaveUp

Woken = Callable[["Attempt | GaveUp"], object]


class Waiting:
    """
    A client's place in the queue of its group. Its owner calls L{whenWoken} at once,
    and is called back exactly once, unless it calls L{cancel} before.

    @ivar dial: the search that it belongs to.
    @ivar deadline: the end of its wait.
    @ivar timer: the timer for that; the queue sets this.
    """

    __slots__ = ("_queue", "_woken", "deadline", "dial", "timer")

    def __init__(self, queue: Queue, dial: Dial, deadline: float) -> None:
        self._queue = queue
        self._woken: Woken | None = None
        self.dial = dial
        self.deadline = deadline
        self.timer = Timer(self._expire)

    def whenWoken(self, woken: Woken) -> None:
        """
        Set the function to call at the end of the wait.

        @param woken: is called with an L{Attempt} when it is this client's turn, or
            with a L{GaveUp}: the time is over, or no host is left that could get room.
            It must not raise.
        """
        self._woken = woken

    def cancel(self) -> None:
        """
        Leave the queue, because the client has gone. If it no longer waits, do nothing.
        """
        self._queue.forget(self)

    def wake(self, step: Attempt | GaveUp) -> None:
        """
        Tell the owner that the wait is over; the queue calls this.
        """
        woken, self._woken = self._woken, None
        if woken is not None:
            woken(step)

    def _expire(self, now: float) -> None:
        self._queue.forget(self)
        self.wake(self.dial.expired())


class Queue:
    """
    The clients that wait in one group. Owned by the pool.

    @param mayHelp: returns whether a look for hosts could give a client a host, or end
        a wait.

    @ivar waiting: the clients that wait, the first one first.
    @ivar held: while this is set, no client is served: the pool is being changed.
    """

    def __init__(self, timers: Timers, mayHelp: Callable[[], bool]) -> None:
        self.waiting: dict[int, Waiting] = {}
        self.held = False
        self._timers = timers
        self._mayHelp = mayHelp
        self._serving = False

    def add(self, dial: Dial, deadline: float) -> Waiting:
        """
        Let a client wait from now on.
        """
        waiting = Waiting(self, dial, deadline)
        self.waiting[id(waiting)] = waiting
        self._timers.set(waiting.timer, deadline)
        return waiting

    def forget(self, waiting: Waiting) -> None:
        """
        Let a client wait no more.
        """
        if self.waiting.get(id(waiting)) is waiting:
            del self.waiting[id(waiting)]
            self._timers.clear(waiting.timer)

    def serve(self) -> None:
        """
        Wake the clients whose turn it is, and those that wait in vain, after a change.
        """
        # A client that is woken may end a connection at once. That goes on in
        # this loop, and not in a deeper one.
        if self._serving or self.held:
            return
        self._serving = True
        try:
            while self.waiting and self._mayHelp() and self._serveOne():
                pass
        finally:
            self._serving = False

    def _serveOne(self) -> bool:
        for waiting in self.waiting.values():
            step = waiting.dial.resume()
            if step is not None:
                self.forget(waiting)
                waiting.wake(step)
                return True
        return False
