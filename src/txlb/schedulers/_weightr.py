"""
Random in proportion to weight.

The weights stand in a binary indexed tree, whose prefix sums are the cumulative
table that a random number is looked up in. Unlike a table it needs no
rebuilding: a change is O(log n), a pick as well.

Source: P. M. Fenwick, "A new data structure for cumulative frequency tables",
Software: Practice and Experience 24, 1994.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random as RandomSource

from txlb.interfaces import IHost
from txlb.schedulers._base import Key, Scheduler

#: How often an excluded host is drawn before the others are listed.
DRAWS = 8


class CumulativeWeights:
    """
    Weights by place, found again by where a number falls in their running sum.
    """

    def __init__(self) -> None:
        self._size = 1
        self._weights: list[float] = [0.0]
        self._tree: list[float] = [0.0, 0.0]

    @property
    def total(self) -> float:
        """
        The sum of all weights.
        """
        return self._tree[self._size]

    def weight(self, place: int) -> float:
        """
        The weight at a place.
        """
        return self._weights[place]

    def set(self, place: int, weight: float) -> None:
        """
        @param place: from 0; the next free one or one that is set already.
        """
        if place == len(self._weights):
            self._weights.append(0.0)
            if place >= self._size:
                self._weights[place] = weight
                self.rebuild()
                return
        self._weights[place] = weight
        # Nodes are summed anew from their parts, so that rounding never adds up.
        node, low = place + 1, 1
        self._tree[node] = self._sum(node, low)
        while node < self._size:
            node += node & -node
            self._tree[node] = self._sum(node, low)

    def _sum(self, node: int, low: int) -> float:
        total = self._weights[node - 1] if node <= len(self._weights) else 0.0
        span = node & -node
        while low < span:
            total += self._tree[node - low]
            low <<= 1
        return total

    def rebuild(self) -> None:
        """
        Make room for as many places again as are in use.
        """
        while self._size < len(self._weights):
            self._size *= 2
        self._tree = [0.0] * (self._size + 1)
        for node in range(1, self._size + 1):
            self._tree[node] = self._sum(node, 1)

    def find(self, number: float) -> int:
        """
        @param number: from 0 to below L{total}.
        @return: the place whose span in the running sum holds it.
        """
        return self.locate(number)[0]

    def locate(self, number: float) -> tuple[int, float]:
        """
        The same, with how far into its span the number is.
        """
        node, step = 0, self._size
        while step:
            ahead = node + step
            if ahead <= self._size and self._tree[ahead] <= number:
                node = ahead
                number -= self._tree[ahead]
            step >>= 1
        return node, number


class WeightedRandom(Scheduler):
    """
    Each host with a chance in proportion to its weight.
    """

    name = "weightr"
    scoreMeans = "its chance"
    predictable = False

    def __init__(self, random: RandomSource) -> None:
        super().__init__(random)
        self._order: list[IHost] = []
        self._place: dict[Key, int] = {}
        self._known: dict[Key, float] = {}
        self._table = CumulativeWeights()
        # How many hosts have each weight: with one for all no table is needed.
        self._counts: dict[float, int] = {}

    @property
    def even(self) -> bool:
        """
        Whether all hosts have the same weight.
        """
        return len(self._counts) < 2

    def draw(self) -> IHost:
        """
        One of the held hosts, with a chance in proportion to its weight; only
        where there is one.
        """
        order, number = self._order, self.random.random()
        if len(self._counts) < 2:
            return order[int(number * len(order))]
        # Rounding can put a number on the far edge of the last span.
        return order[min(self._table.find(number * self._table.total), len(order) - 1)]

    def _set(self, host: IHost, place: int) -> None:
        self._place[host.key] = place
        weight = host.effectiveWeight
        if self._known.get(host.key) != weight:
            self._forget(host.key)
            self._known[host.key] = weight
            self._counts[weight] = self._counts.get(weight, 0) + 1
        self._table.set(place, weight)

    def _forget(self, key: Key) -> None:
        weight = self._known.pop(key, None)
        if weight is not None:
            self._counts[weight] -= 1
            if not self._counts[weight]:
                del self._counts[weight]

    def hostAdded(self, host: IHost) -> None:
        """
        See L{IScheduler.hostAdded}.
        """
        super().hostAdded(host)
        self._order.append(host)
        self._set(host, len(self._order) - 1)

    def hostRemoved(self, host: IHost) -> None:
        """
        See L{IScheduler.hostRemoved}. The last host takes the free place.
        """
        super().hostRemoved(host)
        place = self._place.pop(host.key)
        self._forget(host.key)
        last = self._order.pop()
        self._table.set(len(self._order), 0.0)
        if last is not host:
            self._order[place] = last
            self._set(last, place)

    def hostChanged(self, host: IHost) -> None:
        """
        See L{IScheduler.hostChanged}. Only the weight matters.
        """
        if self._known[host.key] != host.effectiveWeight:
            self._set(host, self._place[host.key])

    def nextHost(self, clientAddr: object, excluded: frozenset[Key] = frozenset()) -> IHost | None:
        """
        See L{IScheduler.nextHost}.
        """
        if not self._order:
            return None
        for _ in range(DRAWS):
            host = self.draw()
            if host.key not in excluded:
                return host
        candidates = self.candidates(excluded)
        if not candidates:
            return None
        weights = [host.effectiveWeight for host in candidates]
        return self.random.choices(candidates, weights)[0]

    def explain(self, clientAddr: object) -> Mapping[Key, float]:
        """
        See L{IScheduler.explain}: the chance of each.
        """
        total = sum(self._known.values())
        scores = {key: weight / total for key, weight in self._known.items()}
        return dict(sorted(scores.items(), key=lambda item: -item[1]))
