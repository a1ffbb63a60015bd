"""
Choosing from a heap of which some entries are out of date.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import TypeVar

from txlb.interfaces import IHost
from txlb.schedulers._base import Key

Rank = TypeVar("Rank")


def lowest(
    heap: list[tuple[Rank, IHost]], current: Mapping[Key, Rank], excluded: frozenset[Key]
) -> IHost | None:
    """
    Return the host of the lowest rank that is not excluded. It stays in the heap. Entries that
    are out of date are removed when they are the lowest.

    @param heap: ranks with their hosts. No two entries have the same rank.
    @param current: the valid rank of each held host.
    @param excluded: keys of hosts that must not be chosen.
    @return: L{None} if there is no such host.
    """
    passedOver = []
    chosen = None
    while heap and chosen is None:
        rank, host = heap[0]
        if current.get(host.key) != rank:
            heapq.heappop(heap)
        elif host.key in excluded:
            passedOver.append(heapq.heappop(heap))
        else:
            chosen = host
    for entry in passedOver:
        heapq.heappush(heap, entry)
    return chosen
