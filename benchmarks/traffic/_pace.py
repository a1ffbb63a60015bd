"""
Something that happens so many times a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """
    Calls a function at a steady rate, if something looks often enough what is due. What could not
    be called in time is called later, so that the rate holds over a longer time.

    @param rate: calls a second.
    @param call: the function. It returns whether it has done anything; if not, the call that was
        due is left out.
    @param most: the most calls at one look.
    @param seconds: a monotonic clock.
    @ivar seconds: the clock.
    @ivar left: the calls that were left out.
    """

    def __init__(
        self,
        rate: float,
        call: Callable[[], bool],
        most: int = 64,
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.left = 0
        self._rate = rate
        self._call = call
        self._most = most
        self.seconds = seconds
        self._began = seconds()
        self._done = 0

    def look(self) -> None:
        """
        Call the function as often as is due.
        """
        due = int((self.seconds() - self._began) * self._rate)
        for _ in range(min(due - self._done, self._most)):
            self._done += 1
            if not self._call():
                self.left += 1
