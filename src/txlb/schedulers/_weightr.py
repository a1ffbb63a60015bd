"""
Any host, with chances in proportion to weight.

A pick looks up a random number in the running sum of the weights, see L{CumulativeWeights}. It
takes the same time for any weights, and a change of a weight counts from the next pick on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random as RandomSource

from txlb.interfaces import IHost
from txlb.schedulers._base import Key
from txlb.schedulers._cumulative import CumulativeWeights
from txlb.schedulers._kind import SchedulerKind
from txlb.schedulers._rand import DRAWS, Random


class WeightedRandom(Random):
    """
    Any host, with chances in proportion to weight.
    """

    name = "weightr"

    def __init__(self, random: RandomSource) -> None:
        super().__init__(random)
        self._known: dict[Key, float] = {}
        self._table = CumulativeWeights()
        # How many hosts have each weight. With one weight for all no look-up is needed.
        self._counts: dict[float, int] = {}

    @property
    def even(self) -> bool:
        """
        Whether all hosts have the same weight.
        """
        return len(self._counts) < 2

    def draw(self) -> IHost:
        """
        Draw one of the held hosts, with chances in proportion to weight. There must be one.
        """
        order, number = self._order, self.random.random()
        if len(self._counts) < 2:
            return order[int(number * len(order))]
        return order[self._table.find(number * self._table.total)]

    def _set(self, host: IHost) -> None:
        weight = host.effectiveWeight
        if self._known.get(host.key) != weight:
            self._forget(host.key)
            self._known[host.key] = weight
            self._counts[weight] = self._counts.get(weight, 0) + 1
        self._table.set(self._place[host.key], weight)

    def _forget(self, key: Key) -> None:
        weight = self._known.pop(key, None)
        if weight is not None:
            self._counts[weight] -= 1
            if not self._counts[weight]:
                del self._counts[weight]

    def hostAdded(self, host: IHost) -> None:
        super().hostAdded(host)
        self._set(host)

    def hostRemoved(self, host: IHost) -> None:
        last = self._order[-1]
        super().hostRemoved(host)
        self._forget(host.key)
        self._table.removeLast()
        if last is not host:
            self._set(last)

    def _arrange(self, names: Sequence[str]) -> None:
        """
        Put the hosts in this order. Those that it does not have come last.
        """
        places = {name: place for place, name in enumerate(names)}
        self._order.sort(key=lambda host: places.get(host.key[2], len(places)))
        for place, host in enumerate(self._order):
            self._place[host.key] = place
            self._table.set(place, self._known[host.key])

    def hostChanged(self, host: IHost) -> None:
        """
        Take over a changed weight.
        """
        if self._known[host.key] != host.effectiveWeight:
            self._set(host)

    def nextHost(self, clientAddr: object, excluded: frozenset[Key] = frozenset()) -> IHost | None:
        if not self._order:
            return None
        for _ in range(DRAWS):
            host = self.draw()
            if host.key not in excluded:
                return host
        return self.drawBeside(excluded)

    def drawBeside(self, excluded: frozenset[Key]) -> IHost | None:
        """
        Draw a host that is not excluded, if nearly all are. It is O(n).
        """
        candidates = self.candidates(excluded)
        if not candidates:
            return None
        weights = [host.effectiveWeight for host in candidates]
        return self.random.choices(candidates, weights)[0]

    def explain(self, clientAddr: object) -> Mapping[Key, float]:
        """
        Return the chance of each host.
        """
        total = sum(self._known.values())
        scores = {key: weight / total for key, weight in self._known.items()}
        return dict(sorted(scores.items(), key=lambda item: -item[1]))


WEIGHTR = SchedulerKind(
    WeightedRandom.name,
    WeightedRandom,
    summary="any, with chances in proportion to weight",
    chooseWhen="shares are to follow weights without balancers acting in step",
)
