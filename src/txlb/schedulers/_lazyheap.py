"""
What policies do that keep their order in a heap of which parts are out of date.
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
    The host that comes first and may be chosen; it stays in the heap. Entries
    that are out of date are dropped when they come up.

    @param heap: ranks, each of them the only one of its value, with their hosts.
    @param current: the rank of each held host that counts.
    @param excluded: keys of hosts that must not be chosen.
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
