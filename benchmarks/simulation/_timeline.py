"""
Simulated time: what happens next, and when.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any


class Timeline:
    """
    Things to do, in the order of their times; those of one time in the order in which
    they were planned.

    @ivar now: seconds since the beginning.
    """

    __slots__ = ("_heap", "_number", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[[Any], object], Any]] = []
        self._number = 0

    def seconds(self) -> float:
        """
        Return the time, as the clock of a L{txlb.pool.HostPool}.
        """
        return self.now

    def at(self, when: float, action: Callable[[Any], object], argument: Any) -> None:
        """
        Plan a call.
        """
        self._number += 1
        heapq.heappush(self._heap, (when, self._number, action, argument))

    def run(self, until: float = float("inf")) -> None:
        """
        Do what is planned, and what is planned meanwhile, up to a time.
        """
        heap = self._heap
        while heap and heap[0][0] <= until:
            self.now, _, action, argument = heapq.heappop(heap)
            action(argument)
        if until < float("inf"):
            self.now = until
