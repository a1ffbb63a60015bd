"""
Any host, with equal chances.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random as RandomSource

from txlb.interfaces import IHost
from txlb.schedulers._base import Key, Scheduler
from txlb.schedulers._kind import SchedulerKind

#: How many draws may give an excluded host before the others are listed. If half of the hosts
#: are excluded, that happens on one pick of 256.
DRAWS = 8


class Random(Scheduler):
    """
    Any host, with equal chances. Weights have no effect. A pick is O(1).
    """

    name = "rand"
    scoreMeans = "its chance"
    predictable = False
    heedsConnectTime = False

    def __init__(self, random: RandomSource) -> None:
        super().__init__(random)
        self._order: list[IHost] = []
        self._place: dict[Key, int] = {}

    def hostAdded(self, host: IHost) -> None:
        super().hostAdded(host)
        self._place[host.key] = len(self._order)
        self._order.append(host)

    def hostRemoved(self, host: IHost) -> None:
        """
        Remove a host. The last host takes its place.
        """
        super().hostRemoved(host)
        place = self._place.pop(host.key)
        last = self._order.pop()
        if last is not host:
            self._order[place] = last
            self._place[last.key] = place

    def nextHost(self, clientAddr: object, excluded: frozenset[Key] = frozenset()) -> IHost | None:
        if not self._order:
            return None
        for _ in range(DRAWS):
            host = self._order[int(self.random.random() * len(self._order))]
            if host.key not in excluded:
                return host
        candidates = self.candidates(excluded)
        return self.random.choice(candidates) if candidates else None

    def explain(self, clientAddr: object) -> Mapping[Key, float]:
        """
        Return the chance of each host.
        """
        return {key: 1 / len(self.hosts) for key in self.hosts}


RAND = SchedulerKind(
    Random.name,
    Random,
    summary="any, with equal chances",
    chooseWhen="hosts and work are all alike, and nothing is to be kept in mind",
)
