"""
The jobs for the hosts: their times, clients and work.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import math
from dataclasses import dataclass
from random import Random
from typing import Protocol

#: Seconds that the work of a job takes at a host of speed 1, in the mean.
MEAN_WORK = 0.1

#: How many clients there are, and how their shares of all jobs fall with their rank:
#: as rank to the power of this. The busiest then sends 0.5 % of all jobs.
CLIENTS = 10_000
CLIENT_EXPONENT = -0.5


class IWork(Protocol):
    """
    A distribution of work, with the mean L{MEAN_WORK}.
    """

    def draw(self, random: Random) -> float:
        """
        Draw the work of a job, in seconds on a host of speed 1.
        """


@dataclass(frozen=True)
class Exponential:
    """
    Memoryless work, for which most closed forms hold.
    """

    def draw(self, random: Random) -> float:
        """
        See L{IWork.draw}.
        """
        return random.expovariate(1 / MEAN_WORK)


@dataclass(frozen=True)
class Constant:
    """
    All jobs are alike.
    """

    def draw(self, random: Random) -> float:
        """
        See L{IWork.draw}.
        """
        return MEAN_WORK


@dataclass(frozen=True)
class BoundedPareto:
    """
    Heavy-tailed work: many small jobs, few large ones that make up much of the whole.

    Source: M. Crovella and A. Bestavros, "Self-Similarity in World Wide Web Traffic", 1997,
    for the shape of what web servers are asked for (1 to 1.5); M. Harchol-Balter,
    M. Crovella and C. Murta, "On Choosing a Task Assignment Policy for a Distributed Server
    System", 1999, for the bound.

    @ivar shape: of the power law, above 1 and not 2.
    @ivar span: the largest job is so many times the smallest.
    """

    shape: float = 1.5
    span: float = 1000.0

    @functools.cached_property
    def smallest(self) -> float:
        """
        The work of the smallest job, in seconds.
        """
        a, p = self.shape, self.span
        mean = a / (a - 1) * (1 - math.pow(p, 1 - a)) / (1 - math.pow(p, -a))
        return MEAN_WORK / mean

    @property
    def variability(self) -> float:
        """
        The squared coefficient of variation, which is 1 for exponential work.
        """
        a, p, k = self.shape, self.span, self.smallest
        second = a / (2 - a) * k**2 * (math.pow(p, 2 - a) - 1) / (1 - math.pow(p, -a))
        return second / MEAN_WORK**2 - 1

    def draw(self, random: Random) -> float:
        """
        See L{IWork.draw}.
        """
        part = random.random() * (1 - math.pow(self.span, -self.shape))
        return self.smallest * math.pow(1 - part, -1 / self.shape)


@dataclass(frozen=True, slots=True)
class Demand:
    """
    One job that is asked for.

    @ivar at: when, in seconds.
    @ivar work: seconds at a host of speed 1.
    @ivar client: the client's address.
    """

    at: float
    work: float
    client: tuple[str, int]


def demands(work: IWork, rate: float, count: int, random: Random) -> list[Demand]:
    """
    Jobs that come as a Poisson process: as from a great many clients that know nothing of
    each other.

    @param rate: jobs a second.
    """
    when = 0.0
    made = []
    for _ in range(count):
        when += random.expovariate(rate)
        made.append(Demand(when, work.draw(random), _client(random)))
    return made


_SHARES = list(itertools.accumulate(rank**CLIENT_EXPONENT for rank in range(1, CLIENTS + 1)))


def _client(random: Random) -> tuple[str, int]:
    rank = bisect.bisect(_SHARES, random.random() * _SHARES[-1])
    address = f"10.{rank >> 16}.{rank >> 8 & 255}.{rank & 255}"
    return address, 1024 + math.floor(random.random() * 60_000)
