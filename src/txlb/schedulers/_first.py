"""
The first host with room.

The hosts stand in the order in which they were configured. The first takes
everything until it has as many connections as its C{maxConnections}; then the
pool holds it back, and the second is the first. So the fewest hosts work, and
those at the end of the list can be switched off when there is little to do.

Semantics: HAProxy's C{first}, which makes as little sense without limits.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from random import Random as RandomSource

from txlb.interfaces import IHost
from txlb.schedulers._base import Key, Scheduler
from txlb.schedulers._kind import SchedulerKind
from txlb.schedulers._lazyheap import lowest

#: The order of the host, then the order in which hosts of the same came.
Place = tuple[int, int]


class First(Scheduler):
    """
    The first host with room, weights aside. A pick is O(1), a host that comes
    or goes O(log n).

    The places are kept in a heap. That of a host that has gone is dropped when
    it comes up, and the heap is compacted when those are the greater part, so
    that hosts that fill up and empty can't make it grow without bound.
    """

    name = "first"
    scoreMeans = "the place in the configuration, negated"
    predictable = True
    heedsConnectTime = False

    def __init__(self, random: RandomSource) -> None:
        super().__init__(random)
        self._heap: list[tuple[Place, IHost]] = []
        self._place: dict[Key, Place] = {}
        self._number = 0

    def hostAdded(self, host: IHost) -> None:
        super().hostAdded(host)
        self._number += 1
        self._enter(host, (host.order, self._number))

    def hostRemoved(self, host: IHost) -> None:
        super().hostRemoved(host)
        del self._place[host.key]
        self._compact()

    def hostChanged(self, host: IHost) -> None:
        """
        See L{IScheduler.hostChanged}. Only the order matters.
        """
        order, number = self._place[host.key]
        if order != host.order:
            self._enter(host, (host.order, number))

    def _enter(self, host: IHost, place: Place) -> None:
        self._place[host.key] = place
        heapq.heappush(self._heap, (place, host))
        self._compact()

    def _compact(self) -> None:
        if len(self._heap) > 2 * len(self._place) + 16:
            self._heap = [(place, self.hosts[key]) for key, place in self._place.items()]
            heapq.heapify(self._heap)

    def nextHost(self, clientAddr: object, excluded: frozenset[Key] = frozenset()) -> IHost | None:
        return lowest(self._heap, self._place, excluded)

    def explain(self, clientAddr: object) -> Mapping[Key, float]:
        places = sorted((place, key) for key, place in self._place.items())
        return {key: -float(number) for number, (_, key) in enumerate(places, 1)}


FIRST = SchedulerKind(
    First.name,
    First,
    summary="the first in the order of the configuration that has room",
    chooseWhen="hosts have maxConnections, and those that are not needed are to be idle",
)
