"""
Steps of logins, a few at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

#: Steps that are done at once, after a time without any. Each takes up to half a millisecond.
AT_ONCE = 10

#: Seconds from one step to the next after these.
PACE = 0.002


class Turns:
    """
    Lets logins go on a few at a time. Hundreds may come at once, and be refused at once, as a
    server that all of them wait for does not answer. Relayed connections have their turns between
    them. Owned by a L{txlb.admin.login._order.SourceOrder}, which bounds the number of logins.

    @param seconds: the monotonic clock.
    @param after: calls a function after some seconds.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        after: Callable[[float, Callable[[], object]], object],
    ) -> None:
        self._seconds = seconds
        self._after = after
        self._waiting: deque[Callable[[], object]] = deque()
        self._isDue = self._isGoing = False
        # The time at which all steps so far would have been done one after the other.
        self._until = 0.0

    def __len__(self) -> int:
        """
        Return the number of steps that wait.
        """
        return len(self._waiting)

    def do(self, step: Callable[[], object]) -> None:
        """
        Do a step, at once or in its turn.
        """
        self._waiting.append(step)
        self._go()

    def finish(self) -> None:
        """
        Do all that wait now.
        """
        self._isDue = False
        while self._waiting:
            self._waiting.popleft()()

    def _go(self) -> None:
        if self._isGoing:
            return
        self._isGoing = True
        while self._waiting and not self._isDue:
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
            self._waiting.popleft()()
        self._isGoing = False

    def _due(self) -> None:
        self._isDue = False
        self._go()
