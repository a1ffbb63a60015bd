"""
Fewest connections for its weight; among equals in proportion to weight.

The order is by connections / weight. Hosts that are equal in that, as all idle ones are, are
in the order of a deadline: a host of weight w that is chosen at the virtual time v gets the
deadline v + 1/w, and v is the deadline of the host that was chosen last. So idle hosts take turns
in proportion to their weights.

The order is in one heap, see L{LazyHeap}.

Semantics: C{wlc} of the Linux Virtual Server, with nginx's weighted round robin
among equals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random as RandomSource

from zope.interface import implementer

from txlb._facts import Facts
from txlb.interfaces import IHost, IKeptScheduler
from txlb.schedulers._base import Key, Scheduler, pairsOf
from txlb.schedulers._kind import SchedulerKind
from txlb.schedulers._lazyheap import LazyHeap

#: Connections / weight, deadline, and the number of the entry, which makes it unique.
Rank = tuple[float, float, int]


@implementer(IKeptScheduler)
class WeightedLeastConnections(Scheduler):
    """
    Fewest connections for its weight. A cycle of pick, acquire and release is O(log n).
    """

    name = "weightlc"
    scoreMeans = "connections / weight, negated"
    predictable = True
    heedsConnectTime = False

    def __init__(self, random: RandomSource) -> None:
        super().__init__(random)
        # Four times as many entries as hosts, as a cycle pushes two and compacting is O(n).
        self._heap: LazyHeap[Rank] = LazyHeap(4)
        self._deadline: dict[Key, float] = {}
        self._now = 0.0
        self._number = 0
        # The host that was chosen last, while the heap has no entry for that. In nearly all
        # cases its number of connections changes next, and one entry serves for both changes.
        self._chosen: IHost | None = None

    def hostAdded(self, host: IHost) -> None:
        super().hostAdded(host)
        self._enterChosen()
        self._deadline[host.key] = self._now + 1 / host.effectiveWeight
        self._push(host)

    def hostRemoved(self, host: IHost) -> None:
        super().hostRemoved(host)
        if self._chosen is host:
            self._chosen = None
        del self._deadline[host.key]
        self._heap.remove(host)

    def hostChanged(self, host: IHost) -> None:
        # If the weight rose, the deadline by the new weight may be earlier.
        soonest = self._now + 1 / host.effectiveWeight
        if self._chosen is host:
            self._chosen = None
            self._deadline[host.key] = min(soonest, self._deadline[host.key])
            self._push(host)
            return
        self._enterChosen()
        (ratio, deadline, _), _ = self._heap.current[host.key]
        if soonest < deadline or ratio != host.active / host.effectiveWeight:
            self._deadline[host.key] = min(soonest, deadline)
            self._push(host)

    def _enterChosen(self) -> None:
        chosen, self._chosen = self._chosen, None
        if chosen is not None:
            self._push(chosen)

    def _push(self, host: IHost) -> None:
        self._number += 1
        ratio = host.active / host.effectiveWeight
        self._heap.set(host, (ratio, self._deadline[host.key], self._number))

    def nextHost(self, clientAddr: object, excluded: frozenset[Key] = frozenset()) -> IHost | None:
        self._enterChosen()
        chosen = self._heap.lowest(excluded)
        if chosen is not None:
            self._now = max(self._now, self._deadline[chosen.key])
            self._deadline[chosen.key] = self._now + 1 / chosen.effectiveWeight
            self._chosen = chosen
        return chosen

    def state(self) -> Mapping[str, object]:
        """
        Return the virtual time, and the deadline of each host in the order of the entries.
        """
        numbers = {key: rank[2] for key, (rank, _) in self._heap.current.items()}
        if self._chosen is not None:
            numbers[self._chosen.key] = self._number + 1
        ordered = sorted(self._deadline, key=numbers.__getitem__)
        return {"now": self._now, "deadlines": [[key[2], self._deadline[key]] for key in ordered]}

    def restoring(self, state: Mapping[str, object]) -> Callable[[], None]:
        facts = Facts(state, f"scheduler {self.name}")
        now, deadlines = facts.number("now"), pairsOf(facts, "deadlines", -1e18, 1e18)

        def take() -> None:
            self._enterChosen()
            self._now = now
            places = {name: place for place, name in enumerate(deadlines)}
            # The others come last, as they did when they were added.
            for key in sorted(self.hosts, key=lambda key: places.get(key[2], len(places))):
                host = self.hosts[key]
                soonest = now + 1 / host.effectiveWeight
                self._deadline[key] = deadlines.get(key[2], soonest)
                self._push(host)

        return take

    def explain(self, clientAddr: object) -> Mapping[Key, float]:
        """
        Return the negated connections / weight of each host.
        """
        ranks = {key: rank for key, (rank, _) in self._heap.current.items()}
        chosen = self._chosen
        if chosen is not None:
            ratio = chosen.active / chosen.effectiveWeight
            ranks[chosen.key] = (ratio, self._deadline[chosen.key], self._number + 1)
        return {key: -ranks[key][0] for key in sorted(ranks, key=ranks.__getitem__)}


WEIGHTLC = SchedulerKind(
    WeightedLeastConnections.name,
    WeightedLeastConnections,
    summary="the one with the fewest connections for its weight; among equals in proportion "
    "to weight",
    chooseWhen="connections last for different times, and hosts are of different sizes",
)
