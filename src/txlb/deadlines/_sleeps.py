"""
The record of a process's sleeps.
"""

from __future__ import annotations

from collections import deque

#: The number of last sleeps that are kept. Each is longer than a deadline can be late
#: in a process that is awake.
MOST = 16

#: Seconds that a process gets in addition to its sleep, to read the data that came
#: meanwhile.
CATCH_UP = 1.0


class Sleeps:
    """
    The intervals in which a process did not run. Owned by a
    L{txlb.deadlines.Deadlines}.
    """

    def __init__(self) -> None:
        self._sleeps: deque[tuple[float, float]] = deque(maxlen=MOST)

    def add(self, began: float, ended: float) -> None:
        """
        Record a sleep.

        @param began: its beginning, in seconds of the monotonic clock.
        @param ended: its end, likewise; not before the end of the last one.
        """
        self._sleeps.append((began, ended))

    def since(self, when: float) -> float:
        """
        Return the time to add for a wait that began at a time.

        @param when: in seconds of the monotonic clock.
        @return: seconds: the sleep since then plus L{CATCH_UP}; 0 if there was none.
        """
        slept = 0.0
        for began, ended in self._sleeps:
            if ended > when:
                slept += ended - max(began, when)
        return slept + CATCH_UP if slept else 0.0
