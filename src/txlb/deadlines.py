"""
Deadlines on the monotonic clock.

The reactor's own clock is the wall clock, which somebody may set. So its
C{callLater} only wakes this queue up, at least once a second while anything
waits, and what is due is decided by the monotonic clock. Set forward, the wall
clock makes a wake-up come early, and there is nothing to do yet. Set back, it
would keep the wake-up waiting: then the guard, a thread that looks once a second
by the monotonic clock, has the reactor look, so that nothing is late by more than
two ticks.
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorFromThreads, IReactorTime
from twisted.logger import Logger

#: Seconds between two looks at most, so that a wake-up which is later than this
#: shows that the wall clock was set back.
TICK = 1.0

__all__ = ["Deadline", "Deadlines"]

_log = Logger()


class Deadline:
    """
    Something to be done at a time unless it is cancelled before.

    @ivar when: the time, in seconds of the monotonic clock.
    @ivar queued: whether the queue holds it; the queue keeps this.
    """

    __slots__ = ("_action", "_queue", "queued", "when")

    def __init__(self, queue: Deadlines, when: float, action: Callable[[], object]) -> None:
        self._queue = queue
        self.when = when
        self.queued = True
        self._action: Callable[[], object] | None = action

    @property
    def pending(self) -> bool:
        """
        Whether it is still to be done.
        """
        return self._action is not None

    def cancel(self) -> None:
        """
        Don't do it. Where it was done or cancelled this does nothing.
        """
        if self._action is not None:
            self._action = None
            if self.queued:
                self._queue.cancelled()

    def fire(self) -> None:
        """
        Do it, unless it was cancelled. What it raises is logged.
        """
        action, self._action = self._action, None
        if action is not None:
            try:
                action()
            except Exception:  # noqa: BLE001 - an action fails for itself alone
                _log.failure("an action that was due failed")


class Deadlines:
    """
    A queue of deadlines, ordered by time. Owned by a
    L{txlb.application.service.LoadBalancedService}.

    @param reactor: what wakes it up.
    @param seconds: the monotonic clock.
    """

    def __init__(self, reactor: IReactorTime, seconds: Callable[[], float]) -> None:
        self._reactor = reactor
        self.seconds = seconds
        self._heap: list[tuple[float, int, Deadline]] = []
        # Those whose time has come, and who are next.
        self._due: deque[Deadline] = deque()
        self._number = 0
        self._cancelled = 0
        self._call: IDelayedCall | None = None
        self._callAt = 0.0
        self._guard: _Guard | None = None

    def __len__(self) -> int:
        """
        How many wait.
        """
        return len(self._heap) - self._cancelled

    def at(self, when: float, action: Callable[[], object]) -> Deadline:
        """
        Call C{action} at a time, or as soon as possible after it.

        @param when: in seconds of the monotonic clock.
        """
        deadline = Deadline(self, when, action)
        self._number += 1
        heapq.heappush(self._heap, (when, self._number, deadline))
        if self._call is None or when < self._callAt or self._overslept():
            self._wakeAt(when)
        return deadline

    def after(self, delay: float, action: Callable[[], object]) -> Deadline:
        """
        The same, C{delay} seconds from now.
        """
        return self.at(self.seconds() + delay, action)

    def cancelled(self) -> None:
        """
        A deadline in the queue was cancelled; L{Deadline.cancel} calls this.
        Those are dropped when they come up, or here where they are the greater
        part.
        """
        self._cancelled += 1
        if self._cancelled > 64 and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].pending]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def _overslept(self) -> bool:
        """
        Whether the wall clock was set back, so that the wake-up would come late.
        """
        return self.seconds() > self._callAt + TICK

    def _wakeAt(self, when: float) -> None:
        now = self.seconds()
        delay = min(max(when - now, 0.0), TICK)
        if self._call is not None and self._call.active():
            self._call.reset(delay)
        else:
            self._call = self._reactor.callLater(delay, self._look)
        self._callAt = now + delay

    def _look(self) -> None:
        self._call = None
        now = self.seconds()
        while self._heap and self._heap[0][0] <= now:
            deadline = heapq.heappop(self._heap)[2]
            deadline.queued = False
            if deadline.pending:
                self._due.append(deadline)
            else:
                self._cancelled -= 1
        # An action may add more, cancel one that is due with it, or stop all.
        while self._due:
            self._due.popleft().fire()
        if self._heap:
            self._wakeAt(self._heap[0][0])

    def guard(self) -> None:
        """
        From now on until L{stop}, let a wall clock that is set back delay nothing
        by more than two ticks, also while nobody asks for a deadline.

        It costs a thread that looks at two numbers once a second. Where the
        reactor takes no calls from threads, as those for tests don't, its clock
        is nobody's to set, and this does nothing.
        """
        if self._guard is None and IReactorFromThreads.providedBy(self._reactor):
            self._guard = _Guard(self._overdue, self._callFromThread)

    def _overdue(self) -> bool:
        """
        Whether the wake-up should have come; called in the guard's thread, and
        harmless where the answer is wrong.
        """
        return self._call is not None and self._overslept()

    def _callFromThread(self) -> None:
        reactor: IReactorFromThreads = self._reactor  # type: ignore[assignment]  # as guard saw
        reactor.callFromThread(self._wake)

    def _wake(self) -> None:
        """
        The guard has found the wake-up late.
        """
        if self._overdue():
            if self._call is not None and self._call.active():
                self._call.cancel()
            self._look()

    def stop(self) -> None:
        """
        Forget everything that waits.
        """
        if self._guard is not None:
            self._guard.stop()
            self._guard = None
        for _, _, deadline in self._heap:
            # Whoever cancels it later has nothing to tell.
            deadline.queued = False
        self._heap.clear()
        self._due.clear()
        self._cancelled = 0
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None


class _Guard:
    """
    A thread that looks once a tick, by a clock that nobody can set.

    @param overdue: whether there is something to do.
    @param do: what to do then.
    """

    def __init__(self, overdue: Callable[[], bool], do: Callable[[], None]) -> None:
        self._overdue = overdue
        self._do = do
        self._over = threading.Event()
        # A daemon, so that a balancer which is never stopped keeps no process alive.
        self._thread = threading.Thread(target=self._run, name="txlb-clock", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        # Waits by the monotonic clock, as Python does since 3.4.
        while not self._over.wait(TICK):
            if self._overdue():
                self._do()

    def stop(self) -> None:
        """
        End it. It is over when this returns.
        """
        self._over.set()
        self._thread.join()
