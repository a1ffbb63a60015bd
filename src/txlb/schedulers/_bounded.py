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

from txlb.interfaces import IHost
from txlb.schedulers._base import Key


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
