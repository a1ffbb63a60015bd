"""
Clients that wait because every host is full.

They are served in the order in which they came. One for whom the host that has
room now will not do, as it could not be reached before, lets the next one by.
Nothing of a client is read while it waits.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from txlb.pool._dial import Attempt, Dial, GaveUp

Woken = Callable[["Attempt | GaveUp"], object]

#: With so many entries the heap of deadlines is looked through for the first time.
CROWD = 64


class Waiting:
    """
    A client's place in the queue of its group. Whoever got it says
    L{whenWoken} at once, and is called exactly once, unless it says L{cancel}
    before.

    @ivar dial: the search that it belongs to.
    @ivar since: when it began to wait, in seconds of the pool's clock.
    @ivar deadline: until when it waits.
    """

    __slots__ = ("_queue", "_woken", "deadline", "dial", "since")

    def __init__(self, queue: Queue, dial: Dial, since: float, deadline: float) -> None:
        self._queue = queue
        self._woken: Woken | None = None
        self.dial = dial
        self.since = since
        self.deadline = deadline

    def whenWoken(self, woken: Woken) -> None:
        """
        @param woken: is called with an L{Attempt} once it is this client's turn,
            or with a L{GaveUp}: the time is over, or no host is left that
            could get room. It must not raise.
        """
        self._woken = woken

    def cancel(self) -> None:
        """
        The client has gone. Where it waits no more this does nothing.
        """
        self._queue.forget(self)

    def wake(self, step: Attempt | GaveUp) -> None:
        """
        It waits no more; its queue calls this.
        """
        woken, self._woken = self._woken, None
        if woken is not None:
            woken(step)


class Queue:
    """
    Who waits in one group. Owned by its pool.

    @ivar waiting: those who wait, the first first.
    """

    def __init__(self) -> None:
        self.waiting: dict[int, Waiting] = {}
        self._deadlines: list[tuple[float, int, Waiting]] = []
        self._crowded = CROWD
        self._number = 0
        self._serving = False

    def add(self, dial: Dial, now: float, deadline: float) -> Waiting:
        """
        A client waits from now on.
        """
        waiting = Waiting(self, dial, now, deadline)
        self.waiting[id(waiting)] = waiting
        self._number += 1
        heapq.heappush(self._deadlines, (deadline, self._number, waiting))
        if len(self._deadlines) > self._crowded:
            self._deadlines = [each for each in self._deadlines if self._isHere(each[2])]
            heapq.heapify(self._deadlines)
            self._crowded = max(CROWD, 2 * len(self._deadlines))
        return waiting

    def _isHere(self, waiting: Waiting) -> bool:
        return self.waiting.get(id(waiting)) is waiting

    def forget(self, waiting: Waiting) -> None:
        """
        A client waits no more.
        """
        if self._isHere(waiting):
            del self.waiting[id(waiting)]

    def serve(self, mayHelp: Callable[[], bool]) -> None:
        """
        Something has changed: wake those whose turn it is, and those who wait
        for nothing.

        @param mayHelp: whether looking for a host could give anybody a host, or
            end a wait.
        """
        # One who is woken may end something at once; that goes on in this loop,
        # and not in a deeper one.
        if self._serving:
            return
        self._serving = True
        try:
            while self.waiting and mayHelp() and self._serveOne():
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

    # Time

    def nextDeadline(self) -> float | None:
        """
        When the wait of somebody is over.
        """
        deadlines = self._deadlines
        while deadlines and not self._isHere(deadlines[0][2]):
            heapq.heappop(deadlines)
        return deadlines[0][0] if deadlines else None

    def expire(self, now: float) -> None:
        """
        End the waits that are over by C{now}.
        """
        while (deadline := self.nextDeadline()) is not None and deadline <= now:
            waiting = heapq.heappop(self._deadlines)[2]
            self.forget(waiting)
            waiting.wake(waiting.dial.expired(now))
