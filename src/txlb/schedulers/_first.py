"""
The first host with room.

The hosts are in the order of the configuration. The first one gets all connections until it
has its C{maxConnections}. Then the pool removes it from the scheduler, and the second host is
the first. So as few hosts as possible work, and those at the end of the list can be switched
off while there is little to do.

Semantics: HAProxy's C{first}, which has no use without limits either.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from random import Random as RandomSource

from txlb.interfaces import IHost
from txlb.schedulers._base import Key, Scheduler
from txlb.schedulers._kind import SchedulerKind
from txlb.schedulers._lazyheap import lowest

#: The host's place in the configuration, and a number that rises with each host that is
#: added, for hosts at the same place.
Place = tuple[int, int]


class First(Scheduler):
    """
    The first host with room. Weights have no effect. A pick is O(1), adding or removing a
    host O(log n).

    The places are in a heap. The entry of a host that was removed stays until it is the
    lowest. The heap is compacted when such entries are more than half of it, so that its size
    has a bound.
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
        Move a host whose place in the configuration changed.
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
