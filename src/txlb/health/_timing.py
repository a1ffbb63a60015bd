"""
When a host is checked next.

Each host has its own beat, C{BEAT} of its interval, so that hosts that were
spread over an interval stay so; a check begins up to C{JITTER} of the interval
after its beat, so that several balancers don't keep in step, and it may be
C{LATE} of the interval late, so that many can be begun at a time. Together that
is never more than the interval::

    BEAT + JITTER + LATE = 1
"""

from __future__ import annotations

from random import Random as RandomSource

from txlb.model import HealthCheck
from txlb.pool import HealthState

BEAT, JITTER, LATE = 0.95, 0.025, 0.025

#: In these states a host is about to be put in or out, or not known yet.
CHANGING = frozenset({HealthState.STARTING, HealthState.GOING_DOWN, HealthState.COMING_UP})


def intervalOf(check: HealthCheck, state: HealthState) -> float | None:
    """
    Seconds from one check to the next.

    @return: L{None} for a host that is left alone while it is so.
    """
    if check.onlyDown and state is HealthState.UP:
        return None
    other = None
    if state in CHANGING:
        other = check.fastInterval
    elif state is HealthState.DOWN:
        other = check.downInterval
    return check.interval if other is None else other


def shortest(check: HealthCheck) -> float:
    """
    The shortest interval of a check, in seconds.
    """
    found = (check.interval, check.fastInterval, check.downInterval)
    return min(each for each in found if each is not None)


class CheckTiming:
    """
    The beat of one host.

    @ivar interval: seconds from one check to the next, as it is now.
    """

    __slots__ = ("_at", "_random", "interval")

    def __init__(self, random: RandomSource, interval: float, first: float) -> None:
        self._random = random
        self.interval = interval
        self._at = first

    def first(self) -> float:
        """
        When to check first.
        """
        return self._at + self.interval * JITTER * self._random.random()

    def next(self, interval: float, began: float, now: float) -> float:
        """
        When to check next.

        @param interval: seconds from one check to the next, from here on.
        @param began: when the last check began.
        @param now: when it ended.
        """
        if interval == self.interval:
            self._at += interval * BEAT
        else:
            self.interval = interval
            self._at = began + interval * BEAT
        if self._at < now - interval:
            # Checks took that long, or had to wait; what was missed is missed.
            self._at = now
        return max(self._at + interval * JITTER * self._random.random(), now)
