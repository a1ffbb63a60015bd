"""
A heap of hosts in which some entries are out of date.
"""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

from txlb.interfaces import IHost
from txlb.schedulers._base import Key

Rank = TypeVar("Rank")


class LazyHeap(Generic[Rank]):
    """
    Hosts in the order of their ranks. A new rank of a host is a new entry. The old entry stays
    until it is the lowest, or until so many entries are out of date that the heap is compacted.
    So its size has a bound.

    @param most: the heap is compacted when it has more than this many times as many entries as
        hosts, and 16.

    @ivar current: the valid entry of each host.
    """

    __slots__ = ("_heap", "_most", "current")

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[Rank, IHost]] = []
        self.current: dict[Key, tuple[Rank, IHost]] = {}

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, host: IHost, rank: Rank) -> None:
        """
        Give a host a rank.

        @param rank: no other host has the same.
        """
        entry = self.current[host.key] = (rank, host)
        heapq.heappush(self._heap, entry)
        self._compact()

    def remove(self, host: IHost) -> None:
        """
        Remove a host.
        """
        del self.current[host.key]
        self._compact()

    def _compact(self) -> None:
        if len(self._heap) > self._most * len(self.current) + 16:
            self._heap = list(self.current.values())
            heapq.heapify(self._heap)

    def lowest(self, excluded: frozenset[Key]) -> IHost | None:
        """
        Return the host of the lowest rank that is not excluded. It stays in the heap.

        @param excluded: keys of hosts that must not be chosen.
        @return: L{None} if there is no such host.
        """
        heap, current = self._heap, self.current
        passedOver = []
        chosen = None
        while heap and chosen is None:
            entry = heap[0]
            key = entry[1].key
            if current.get(key) is not entry:
                heapq.heappop(heap)
            elif key in excluded:
                passedOver.append(heapq.heappop(heap))
            else:
                chosen = entry[1]
        for entry in passedOver:
            heapq.heappush(heap, entry)
        return chosen
