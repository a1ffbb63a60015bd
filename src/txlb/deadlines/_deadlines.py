"""
The queue of deadlines.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorFromThreads, IReactorTime

from txlb.deadlines._deadline import Deadline
from txlb.deadlines._guard import Guard
from txlb.deadlines._sleeps import Sleeps

#: The most seconds between two looks. If a wake-up is later than this, the wall clock
#: was set back.
TICK = 1.0

#: Seconds after which a wake-up is late: data may be ready and unread.
LATE = 0.02

#: Turns that the reactor gets after a late wake-up before the queue decides: one for
#: ready events, and one for further ready events, because one turn handles a limited
#: number of events.
TURNS = 2

#: Looks without a decision after which another late wake-up gives no more turns: a
#: reactor whose every turn takes so long does not sleep.
PATIENT = 16

#: Seconds after which a late wake-up means that the process slept, and was not only
#: busy.
SLEPT = 0.5


class Deadlines:
    """
    A queue of deadlines, ordered by time. Owned by a
    L{txlb.application.service.LoadBalancedService}.

    @param reactor: the reactor that wakes the queue up. If a test's clock is advanced
        by more than a tick, that counts as time, not as a sleep of the process.
    @param seconds: the monotonic clock.
    """

    def __init__(self, reactor: IReactorTime, seconds: Callable[[], float]) -> None:
        self._reactor = reactor
        self.seconds = seconds
        self._heap: list[tuple[float, int, Deadline]] = []
        # Deadlines that are due, and that are called next.
        self._due: deque[Deadline] = deque()
        self._number = 0
        self._cancelled = 0
        self._call: IDelayedCall | None = None
        self._callAt = 0.0
        # The number of turns that the reactor still gets before the queue decides.
        self._turns = self._looks = 0
        self._sleeps = Sleeps()
        self._maySleep = bool(IReactorFromThreads.providedBy(reactor))
        self._guard: Guard | None = None

    def __len__(self) -> int:
        """
        Return the number of deadlines that are pending.
        """
        return len(self._heap) - self._cancelled

    def at(self, when: float, action: Callable[[], object]) -> Deadline:
        """
        Call C{action} at a time, or as soon as possible after it.

        @param when: in seconds of the monotonic clock.
        """
        return self._add(Deadline(self, when, action))

    def after(self, delay: float, action: Callable[[], object]) -> Deadline:
        """
        Call C{action} C{delay} seconds from now.
        """
        return self.at(self.seconds() + delay, action)

    def patience(
        self, delay: float, action: Callable[[], object], since: float | None = None
    ) -> Deadline:
        """
        Call C{action} if another party has not answered in time. Time in which the
        process sleeps does not count, because it reads no answers then.

        @param delay: the party's time in seconds.
        @param since: the beginning of that time, in seconds of the monotonic clock; by
            default now.
        """
        if since is None:
            since = self.seconds()
        return self._add(Deadline(self, since + delay, action, since))

    def sleptSince(self, when: float) -> float:
        """
        Return the time to add for a wait that began at a time; see L{Sleeps.since}.
        """
        return self._sleeps.since(when)

    def _add(self, deadline: Deadline) -> Deadline:
        when = deadline.when
        self._push(when, deadline)
        # Otherwise the queue looks at it when the reactor has had its turns.
        if not self._turns and (self._call is None or when < self._callAt or self._overslept()):
            self._wakeAt(when)
        return deadline

    def _push(self, when: float, deadline: Deadline) -> None:
        self._number += 1
        heapq.heappush(self._heap, (when, self._number, deadline))

    def cancelled(self) -> None:
        """
        Count a deadline of the queue that was cancelled; L{Deadline.cancel} calls this.
        Cancelled deadlines are dropped when they come up, or here if they are more than
        half of the queue.
        """
        self._cancelled += 1
        if self._cancelled > 64 and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].pending]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def _overslept(self) -> bool:
        """
        Tell whether the wall clock was set back, so that the wake-up comes late.
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
        """
        Handle a wake-up. Find out first whether it is late.
        """
        self._call = None
        now = self.seconds()
        late = now - self._callAt
        if self._maySleep and late > SLEPT:
            self._sleeps.add(self._callAt, now)
        if self._turns and (late <= SLEPT or self._looks >= PATIENT):
            self._turns -= 1
        elif late > LATE:
            self._turns = TURNS
        if self._turns:
            self._looks += 1
            self._wakeAt(now)
        else:
            self._looks = 0
            self._decide(now)

    def _decide(self, now: float) -> None:
        """
        Call the actions that are due.
        """
        while self._heap and self._heap[0][0] <= now:
            deadline = heapq.heappop(self._heap)[2]
            if not deadline.pending:
                deadline.queued = False
                self._cancelled -= 1
            elif (when := deadline.due(self._sleeps)) > now:
                self._push(when, deadline)
            else:
                deadline.queued = False
                self._due.append(deadline)
        # An action may add deadlines, cancel one that is due with it, or stop the
        # queue.
        while self._due:
            self._due.popleft().fire()
        if self._heap:
            self._wakeAt(self._heap[0][0])

    def guard(self) -> None:
        """
        From now on until L{stop}, limit the delay by a wall clock that is set back to
        two ticks, also while no deadline is added.

        This costs a thread that compares two numbers once a second. If the reactor
        takes no calls from threads, as those for tests don't, its clock is not the wall
        clock, and this does nothing.
        """
        if self._guard is None and IReactorFromThreads.providedBy(self._reactor):
            self._guard = Guard(TICK, self._overdue, self._callFromThread)

    def _overdue(self) -> bool:
        """
        Tell whether the wake-up is overdue. The guard's thread calls this; a wrong
        answer is harmless.
        """
        return self._call is not None and self._overslept()

    def _callFromThread(self) -> None:
        reactor: IReactorFromThreads = self._reactor  # type: ignore[assignment]  # as guard saw
        reactor.callFromThread(self._wake)

    def _wake(self) -> None:
        """
        Look now, because the guard has found the wake-up late.
        """
        if self._overdue():
            if self._call is not None and self._call.active():
                self._call.cancel()
            self._look()

    def stop(self) -> None:
        """
        Drop all deadlines.
        """
        if self._guard is not None:
            self._guard.stop()
            self._guard = None
        for _, _, deadline in self._heap:
            # A later cancel must not count it.
            deadline.queued = False
        self._heap.clear()
        self._due.clear()
        self._cancelled = 0
        self._turns = self._looks = 0
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None
