"""
The first host with room.

The hosts are in the order of the configuration. The first one gets all connections until it
has its C{maxConnections}. Then the pool removes it from the scheduler, and the second host is
the first. So as few hosts as possible work, and those at the end of the list can be switched
off while there is little to do.

Semantics: HAProxy's C{first}, which has no use without limits either.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random as RandomSource

from txlb.interfaces import IHost
from txlb.schedulers._base import Key, Scheduler
from txlb.schedulers._kind import SchedulerKind
from txlb.schedulers._lazyheap import LazyHeap

#: The host's place in the configuration, and a number that rises with each host that is
#: added, for hosts at the same place.
Place = tuple[int, int]


class First(Scheduler):
    """
    The first host with room. Weights have no effect. A pick is O(1), adding or removing a
    host O(log n).
    """

    name = "first"
    scoreMeans = "the place in the configuration, negated"
    predictable = True
    heedsConnectTime = False

    def __init__(self, random: RandomSource) -> None:
        super().__init__(random)
        self._heap: LazyHeap[Place] = LazyHeap(2)
        self._number = 0

    def hostAdded(self, host: IHost) -> None:
        super().hostAdded(host)
        self._number += 1
        self._heap.set(host, (host.order, self._number))

    def hostRemoved(self, host: IHost) -> None:
        super().hostRemoved(host)
        self._heap.remove(host)

    def hostChanged(self, host: IHost) -> None:
        """
        Move a host whose place in the configuration changed.
        """
        (order, number), _ = self._heap.current[host.key]
        if order != host.order:
            self._heap.set(host, (host.order, number))

    def nextHost(self, clientAddr: object, excluded: frozenset[Key] = frozenset()) -> IHost | None:
        return self._heap.lowest(excluded)

    def explain(self, clientAddr: object) -> Mapping[Key, float]:
        places = sorted((place, key) for key, (place, _) in self._heap.current.items())
        return {key: -float(number) for number, (_, key) in enumerate(places, 1)}


FIRST = SchedulerKind(
    First.name,
    First,
    summary="the first in the order of the configuration that has room",
    chooseWhen="hosts have maxConnections, and those that are not needed are to be idle",
)
