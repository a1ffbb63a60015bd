"""
The quicker of two at random, as the time to connect tells.

Each host has a moving average of the time that connecting to it takes, which
follows a peak at once and comes down slowly: within C{decay} seconds to about a
third. Two hosts are drawn as L{TwoChoices} draws them, and of these the one gets
the client for which average x (connections + 1) / weight is less.

Without new samples the average comes down all the same, so that a host that had
bad luck once is tried again. One that has a connection and no time yet is
passed over for any other: it may be that it never answers.

Two are drawn, instead of keeping all in order, because the order changes with
time alone: every average decays at its own rate from its own moment on, so that
no heap of them stays true. It also keeps many balancers from running to the one
host that was quickest a moment ago.

Source: Twitter's Finagle, C{PeakEwma} over C{P2C}; the weight is as in Envoy's
least request. Finagle lets the average decay with each look at it, and here it
is computed from the time since the last sample, which comes to the same and
makes no look change anything.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from random import Random as RandomSource

from zope.interface import implementer

from txlb.interfaces import IHost, ISamplingScheduler
from txlb.schedulers._kind import SchedulerKind
from txlb.schedulers._p2c import TwoChoices

#: The cost of a host that has a connection, and no sample: more than any other.
PENALTY = 1e9


class Average:
    """
    A peak-sensitive moving average of one host.

    @ivar value: what it was at the last sample, in seconds.
    @ivar stamp: when that was, in seconds of the policy's clock.
    """

    __slots__ = ("stamp", "value")

    def __init__(self, value: float, stamp: float) -> None:
        self.value = value
        self.stamp = stamp


@implementer(ISamplingScheduler)
class PeakEwma(TwoChoices):
    """
    The quicker of two at random, or of as many as C{choices} says. A whole
    cycle of pick, acquire and release is O(log n).

    @ivar decay: seconds in which an average comes down to 1/e without samples.
    """

    name = "ewma"
    scoreMeans = "average time to connect x (connections + 1) / weight, in seconds, negated"
    predictable = False
    heedsConnectTime = False

    def __init__(
        self,
        random: RandomSource,
        *,
        choices: int = 2,
        decay: float = 10.0,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(random, choices=choices)
        self.decay = decay
        self._seconds = seconds
        # By the host itself, which is quicker to find than by its key.
        self._averages: dict[IHost, Average] = {}

    def hostAdded(self, host: IHost) -> None:
        """
        See L{IScheduler.hostAdded}. What the host's last connect took is where
        its average begins: one that was only full for a moment is no stranger.
        """
        super().hostAdded(host)
        self._averages[host] = Average(host.connectTime or 0.0, self._seconds())

    def hostRemoved(self, host: IHost) -> None:
        super().hostRemoved(host)
        del self._averages[host]

    def hostSampled(self, host: IHost, seconds: float) -> None:
        average, now = self._averages[host], self._seconds()
        left = math.exp(-max(now - average.stamp, 0.0) / self.decay)
        decayed = average.value * left
        average.value = max(seconds, decayed + seconds * (1.0 - left))
        average.stamp = now

    def average(self, host: IHost) -> float:
        """
        The average of a held host now, in seconds; 0 before the first sample.
        """
        average = self._averages[host]
        if not average.value:
            return 0.0
        return average.value * math.exp(min(average.stamp - self._seconds(), 0.0) / self.decay)

    def cost(self, host: IHost) -> float:
        average, active = self.average(host), host.active
        if not average:
            return (PENALTY + active) / host.effectiveWeight if active else 0.0
        return average * (active + 1) / host.effectiveWeight


EWMA = SchedulerKind(
    PeakEwma.name,
    PeakEwma,
    summary="the one that connects quicker, of two drawn at random: the average time to connect, "
    "peaks first, times connections for its weight",
    chooseWhen="hosts differ in speed or distance, or slow down for a while, and nobody says so",
    wants=("seconds", "choices", "decay"),
)
