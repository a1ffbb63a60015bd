"""
The times at which a pool has something to do.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

#: A heap with fewer entries than this is never compacted.
CROWD = 64


class Timer:
    """
    One action that is due at a time. The part of the pool that made it sets and clears
    it through the pool's L{Timers}.

    @ivar when: the time at which it is due, in seconds of the pool's clock; L{None} if
        it is not set.
    @ivar action: is called with the current time when that time has come.
    """

    __slots__ = ("action", "when")

    def __init__(self, action: Callable[[float], object]) -> None:
        self.when: float | None = None
        self.action = action


class Timers:
    """
    The timers of a pool, the earliest first. Owned by the pool.

    It is a heap with lazy deletion: a timer that is set again or cleared leaves
    a stale entry behind. If more than half of the entries are stale the heap is
    compacted, so that it has at most twice as many entries as timers are set
    (or L{CROWD}), at a constant cost for each change.

    @ivar entries: the heap of times, serial numbers and timers. A serial number
        keeps timers from being compared. Only L{Timers} changes it; a reader may
        look at the time of the first entry, which is never too late.
    """

    __slots__ = ("_live", "_number", "entries")

    def __init__(self) -> None:
        self.entries: list[tuple[float, int, Timer]] = []
        self._live = 0
        self._number = 0

    def set(self, timer: Timer, when: float) -> None:
        """
        Make a timer due at a time, instead of its former time.
        """
        if timer.when == when:
            return
        if timer.when is None:
            self._live += 1
        timer.when = when
        self._number += 1
        heapq.heappush(self.entries, (when, self._number, timer))
        if len(self.entries) > max(CROWD, 2 * self._live):
            self._compact()

    def clear(self, timer: Timer) -> None:
        """
        Clear a timer. A timer that is not set stays so.
        """
        if timer.when is not None:
            timer.when = None
            self._live -= 1

    def nextDeadline(self) -> float | None:
        """
        Return the time of the first timer; L{None} if none is set.
        """
        entries = self.entries
        while entries and entries[0][2].when != entries[0][0]:
            heapq.heappop(entries)
        return entries[0][0] if entries else None

    def advance(self, now: float) -> None:
        """
        Call the action of each timer that is due by C{now}, in the order of
        their times. An action may set timers; those that are due are called too.
        """
        while (when := self.nextDeadline()) is not None and when <= now:
            timer = heapq.heappop(self.entries)[2]
            timer.when = None
            self._live -= 1
            timer.action(now)

    def _compact(self) -> None:
        """
        Drop the stale entries, and all but one entry of a timer that was set to the
        same time twice.
        """
        current = {id(entry[2]): entry for entry in self.entries if entry[2].when == entry[0]}
        self.entries = list(current.values())
        heapq.heapify(self.entries)
