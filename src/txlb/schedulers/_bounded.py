"""
A bound on the connections of a host, relative to its fair share.

A policy that sends each client to one host overloads that host if its clients open more
connections than others. With a factor c, a host of weight w takes the next connection
only if it has fewer than::

    ceil(c * (A + 1) * w / W)

connections: A is the number of all connections, the next one is counted as well, and W is
the sum of the weights. While a host is at this bound, its clients go to the next host of
their order. As c is above 1, the bounds of all hosts add up to more than A + 1, so one host
has room.

Source: V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent Hashing with
Bounded Loads", SODA 2018, with weights as in HAProxy's C{hash-balance-factor}.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from txlb.interfaces import IHost
from txlb.schedulers._base import Key

#: How many hosts of a client's order are looked at before it is checked whether any host may
#: be chosen at all.
STEPS = 64

Candidates = Callable[[frozenset[Key]], Sequence[IHost]]


class Bound:
    """
    The connections and weights of the held hosts, and the bound that follows from them.

    @ivar factor: how many times its fair share a host may have; 0 for no bound.
    """

    def __init__(self, factor: float) -> None:
        self.factor = factor
        self._known: dict[Key, tuple[int, float]] = {}
        self._active = 0
        self._weight = 0.0

    def update(self, host: IHost) -> None:
        """
        Add a host, or take over its changed connections and weight.
        """
        active, weight = self._known.get(host.key, (0, 0.0))
        now = host.active, host.effectiveWeight
        self._known[host.key] = now
        self._active += now[0] - active
        self._weight += now[1] - weight

    def forget(self, host: IHost) -> None:
        """
        Remove a host.
        """
        active, weight = self._known.pop(host.key, (0, 0.0))
        self._active -= active
        # The sum of no weights is exactly 0, so that rounding errors don't add up.
        self._weight = self._weight - weight if self._known else 0.0

    def most(self, host: IHost) -> int:
        """
        Return how many connections a host may have, the next client's included.
        """
        share = host.effectiveWeight / self._weight
        # A product that is a whole number may come out a little above it.
        return math.ceil(self.factor * (self._active + 1) * share - 1e-9)

    def hasRoom(self, host: IHost) -> bool:
        """
        Return whether a host may have one more.
        """
        return not self.factor or host.active < self.most(host)

    def choose(
        self, order: Iterable[IHost], excluded: frozenset[Key], candidates: Candidates
    ) -> IHost | None:
        """
        Return the first host of a client's order that is not excluded and has room. If none
        has room, as the hosts with room are excluded, return the first one that is not
        excluded.

        @param order: the hosts, some of them maybe several times.
        @param excluded: keys of hosts that must not be chosen.
        @param candidates: returns the held hosts that are not excluded.
        """
        first = None
        for step, host in enumerate(order):
            if step == STEPS and not candidates(excluded):
                return None
            if host.key in excluded:
                continue
            if self.hasRoom(host):
                return host
            if first is None:
                first = host
        return first

    def scores(self, order: Iterable[IHost], count: int) -> dict[Key, float]:
        """
        Return the negated rank of each host in a client's order. Hosts without room come last.

        @param order: the hosts, some of them maybe several times.
        @param count: how many hosts there are.
        """
        hosts: dict[Key, IHost] = {}
        for host in order:
            hosts[host.key] = host
            if len(hosts) == count:
                break
        ranked = sorted(hosts, key=lambda key: not self.hasRoom(hosts[key]))
        return {key: -float(rank) for rank, key in enumerate(ranked, 1)}
