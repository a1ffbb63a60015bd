"""
What a process has slept through.
"""

from __future__ import annotations

from collections import deque

#: Sleeps that are remembered, the last ones. Each is longer than a deadline that is
#: due is late in a process that is awake.
MOST = 16

#: Seconds beyond what it has slept that a process has to read what has come meanwhile.
CATCH_UP = 1.0


class Sleeps:
    """
    The times in which a process did not run. Owned by a L{txlb.deadlines.Deadlines}.
    """

    def __init__(self) -> None:
        self._sleeps: deque[tuple[float, float]] = deque(maxlen=MOST)

    def add(self, began: float, ended: float) -> None:
        """
        Remember a sleep.

        @param began: when it began, in seconds of the monotonic clock.
        @param ended: when it ended, likewise; not before the end of the last one.
        """
        self._sleeps.append((began, ended))

    def since(self, when: float) -> float:
        """
        How much more time is due to what has waited since a time.

        @param when: in seconds of the monotonic clock.
        @return: seconds: those that were slept through since then, and L{CATCH_UP}
            more; 0 if there were none.
        """
        slept = 0.0
        for began, ended in self._sleeps:
            if ended > when:
                slept += ended - max(began, when)
        return slept + CATCH_UP if slept else 0.0
