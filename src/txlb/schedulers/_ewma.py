"""
The quicker of two random hosts, by the time that connecting takes.

Each host has a moving average of its connect time. A sample s, t seconds after the one
before, changes the average a to::

    max(s, a * f + s * (1 - f))        with f = exp(-t / decay)

A sample above a * f, the average of that moment, replaces it at once (the peak); one below it
moves the average by 1 - f of the difference. So after C{decay} seconds 1/e, about a third, is
left of a peak. Without samples the average is a * f, so that a host that was slow once is tried
again.

Two hosts are drawn as L{TwoChoices} draws them. The client goes to the one with the lower::

    average * (connections + 1) / weight

A host that has a connection and no sample yet may never answer, so that any other host
comes before it (L{PENALTY}).

The hosts are not kept in order, because the order changes by time alone: each average
decays from the moment of its own last sample. Drawing two also keeps many balancers from
choosing the same host, the one that was quickest a moment ago.

Source: Twitter's Finagle, C{PeakEwma} over C{P2C}; the weight is as in Envoy's
least request. Finagle decays the average each time that it is read. Here it is computed from
the time of the last sample, which gives the same value and makes reading change nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from random import Random as RandomSource

from zope.interface import implementer

from txlb._facts import Facts
from txlb.interfaces import IHost, IKeptScheduler, ISamplingScheduler
from txlb.schedulers._base import pairsOf
from txlb.schedulers._kind import SchedulerKind
from txlb.schedulers._p2c import TwoChoices

#: The cost of a host that has a connection and no sample, before it is divided by the weight.
#: It is far above that of a host that answers: with an average of 1 s and 1,000 connections
#: that is 1,001.
PENALTY = 1e9


class Average:
    """
    The moving average of one host.

    @ivar value: the average at the last sample, in seconds; 0 before the first.
    @ivar stamp: the time of the last sample, in seconds of the policy's clock.
    """

    __slots__ = ("stamp", "value")

    def __init__(self, value: float, stamp: float) -> None:
        self.value = value
        self.stamp = stamp


@implementer(ISamplingScheduler, IKeptScheduler)
class PeakEwma(TwoChoices):
    """
    The quickest of C{choices} random hosts, in most cases two. A cycle of pick, acquire and
    release is O(log n).

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
        # The keys are the hosts, whose hash is quicker than that of three names.
        self._averages: dict[IHost, Average] = {}

    def hostAdded(self, host: IHost) -> None:
        """
        Add a host. Its average begins with its last connect time, as it may have been out
        only because it was full.
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

    def state(self) -> Mapping[str, object]:
        """
        Return the averages, and the time of the last sample of each.
        """
        averages = self._averages.items()
        return {
            "averages": [[host.key[2], average.value] for host, average in averages],
            "stamps": [[host.key[2], average.stamp] for host, average in averages],
        }

    def restoring(self, state: Mapping[str, object]) -> Callable[[], None]:
        facts, now = Facts(state, f"scheduler {self.name}"), self._seconds()
        averages, stamps = pairsOf(facts, "averages", 0.0), pairsOf(facts, "stamps", most=now)

        def take() -> None:
            for host, average in self._averages.items():
                name = host.key[2]
                if name in averages and name in stamps:
                    average.value, average.stamp = averages[name], stamps[name]

        return take

    def average(self, host: IHost) -> float:
        """
        Return the average of a held host now, in seconds; 0 before the first sample.
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
    chooseWhen="hosts differ in speed or distance, or slow down for a while, and report no load",
    wants=("seconds", "choices", "decay"),
)
