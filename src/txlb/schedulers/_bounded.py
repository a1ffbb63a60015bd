"""
A bound for how much more than its share a host may have.

Policies that send a client always to the same host can't help it if some clients
want more than others. With a bound of c, no host takes on work that would give
it more than c times its fair share of all connections, rounded up; its clients
go on to the next in their order, as long as that is so.

Source: V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent Hashing with
Bounded Loads", SODA 2018, with weights as in HAProxy's C{hash-balance-factor}.
"""

from __future__ import annotations

import math

from txlb.interfaces import IHost
from txlb.schedulers._base import Key


class Bound:
    """
    The loads of the held hosts, and whether one has room.

    @ivar factor: how many times its fair share a host may have; 0 for any number.
    """

    def __init__(self, factor: float) -> None:
        self.factor = factor
        self._known: dict[Key, tuple[int, float]] = {}
        self._active = 0
        self._weight = 0.0

    def update(self, host: IHost) -> None:
        """
        A host has come, or its connections or its weight have changed.
        """
        active, weight = self._known.get(host.key, (0, 0.0))
        now = host.active, host.effectiveWeight
        self._known[host.key] = now
        self._active += now[0] - active
        self._weight += now[1] - weight

    def forget(self, host: IHost) -> None:
        """
        A host has gone.
        """
        active, weight = self._known.pop(host.key, (0, 0.0))
        self._active -= active
        # Rounding must not add up over the lives of many hosts.
        self._weight = self._weight - weight if self._known else 0.0

    def most(self, host: IHost) -> int:
        """
        How many connections a host may have, the next client's included.
        """
        share = host.effectiveWeight / self._weight
        return math.ceil(self.factor * (self._active + 1) * share - 1e-9)

    def hasRoom(self, host: IHost) -> bool:
        """
        Whether a host may have one more.
        """
        return not self.factor or host.active < self.most(host)
