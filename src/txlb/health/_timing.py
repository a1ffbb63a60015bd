"""
The times of a host's checks.

A check may begin a little before its interval is over and never after it. The interval has
three parts::

    BEAT + JITTER + LATE = 1

Each host has a beat, one every C{BEAT} of its interval. Its beats are counted from its first
one, so that hosts which are spread over an interval stay spread. A check begins up to C{JITTER}
of the interval after the beat, at random, so that several balancers don't act in step. It may be
C{LATE} of the interval late, so that the runner can begin many checks together.
"""

from __future__ import annotations

from random import Random as RandomSource

from txlb.model import HealthCheck
from txlb.pool import HealthState

BEAT, JITTER, LATE = 0.95, 0.025, 0.025

#: In these states a host is about to be put in or out, or was not checked yet.
CHANGING = frozenset({HealthState.STARTING, HealthState.GOING_DOWN, HealthState.COMING_UP})


def intervalOf(check: HealthCheck, state: HealthState) -> float | None:
    """
    Return the seconds from one check to the next.

    @return: L{None} for a host that is not checked in this state.
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
    Return the shortest interval of a check, in seconds.
    """
    found = (check.interval, check.fastInterval, check.downInterval)
    return min(each for each in found if each is not None)


class CheckTiming:
    """
    The times of the checks of one host.

    @param interval: seconds from one check to the next.
    @param first: the first beat.

    @ivar interval: the current seconds from one check to the next.
    """

    __slots__ = ("_at", "_random", "interval")

    def __init__(self, random: RandomSource, interval: float, first: float) -> None:
        self._random = random
        self.interval = interval
        self._at = first

    @property
    def beat(self) -> float:
        """
        The beat of the next check, or of the one under way.
        """
        return self._at

    def first(self) -> float:
        """
        Return the time of the first check.
        """
        return self._at + self.interval * JITTER * self._random.random()

    def next(self, interval: float, began: float, now: float) -> float:
        """
        Return the time of the next check.

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
            # The check took so long, or had to wait. Beats that are over are left out.
            self._at = now
        return max(self._at + interval * JITTER * self._random.random(), now)
