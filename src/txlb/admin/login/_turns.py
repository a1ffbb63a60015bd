"""
Steps of logins, a few at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from txlb.admin._work import nothing

#: Steps that are done at once, after a time without any. Each takes up to half a millisecond.
AT_ONCE = 10

#: Seconds from one step to the next after these. A login has three to five steps. So 200 logins at
#: once take some seconds, and relayed connections that come meanwhile rarely meet a step.
PACE = 0.01


class Turns:
    """
    Lets logins go on a few at a time. Hundreds may come at once, and be refused at once, as a
    server that all of them wait for does not answer. Relayed connections have their turns between
    them. The sources of clients take turns too: a client with many steps holds up no other. Owned
    by a L{txlb.admin.login._order.SourceOrder}; that and the doors bound the number of steps.

    @param seconds: the monotonic clock.
    @param after: calls a function after some seconds.
    @param giveWay: lets relayed connections go on; it is called after each step.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        after: Callable[[float, Callable[[], object]], object],
        giveWay: Callable[[], object] = nothing,
    ) -> None:
        self._giveWay = giveWay
        self._seconds = seconds
        self._after = after
        # Steps that wait, by their sources. The source whose turn is next is the first.
        self._queues: dict[str, deque[Callable[[], object]]] = {}
        self._isDue = self._isGoing = False
        # The time at which all steps so far would have been done one after the other.
        self._until = 0.0

    def __len__(self) -> int:
        """
        Return the number of steps that wait.
        """
        return sum(map(len, self._queues.values()))

    def do(self, step: Callable[[], object], source: str) -> None:
        """
        Do a step, at once or in its turn.

        @param source: the source of the client, see L{txlb.admin.login.sourceOf}.
        """
        self._queues.setdefault(source, deque()).append(step)
        self._go()

    def finish(self) -> None:
        """
        Do all that wait now.
        """
        self._isDue = False
        while self._queues:
            self._take()()

    def _take(self) -> Callable[[], object]:
        """
        Take the next step out of its queue. Its source becomes the last one.
        """
        source, queue = next(iter(self._queues.items()))
        del self._queues[source]
        step = queue.popleft()
        if queue:
            self._queues[source] = queue
        return step

    def _go(self) -> None:
        if self._isGoing:
            return
        self._isGoing = True
        while self._queues and not self._isDue:
            now = self._seconds()
            if not now <= self._until <= now + (AT_ONCE + 1) * PACE:
                # Nothing was done for a time, or another clock counts.
                self._until = now
            wait = self._until - now - (AT_ONCE - 1) * PACE
            # Sums of times are not exact.
            if wait > PACE / 2:
                self._isDue = True
                self._after(max(wait, PACE), self._due)
                # It is due at once if there is no clock.
                if self._isDue:
                    break
            self._until += PACE
            self._take()()
            self._giveWay()
        self._isGoing = False

    def _due(self) -> None:
        self._isDue = False
        self._go()
