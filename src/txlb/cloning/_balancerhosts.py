"""
The clones of a group of a balancer as hosts of that group.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from txlb.errors import ChangeUnderWay, UnknownName
from txlb.manager import ProxyManager
from txlb.model import CLONES
from txlb.pool import HostPool


class BalancerHosts:
    """
    The clones as hosts of a group of a balancer, beside other hosts. They are hosts of the
    origin C{clones}, so no file has them. A L{Fleet} owns it.

    @param pools: the manager of the balancer.
    @param service: the name of the service.
    @param group: the name of its group.
    """

    def __init__(self, pools: ProxyManager, service: str, group: str) -> None:
        self.pools = pools
        self._service = service
        self._group = group
        # What could not be done yet, as another change was under way.
        self._later: list[Callable[[], None]] = []

    def poolOf(self, number: int) -> HostPool:
        """
        Return the pool, which all listeners have in common.
        """
        return self.pools.getPool(self._service, self._group)

    def add(self, name: str) -> None:
        """
        Add a clone, if it is not there.

        @raise ChangeUnderWay: another change is under way; try again later.
        """
        self._catchUp()
        group = self.pools.getGroup(self._service, self._group)
        if name in {host.name for host in group.hosts}:
            self.pools.ready(self._service, self._group, name)
            return
        limit = None if group.clones is None else group.clones.maxConnections
        self.pools.addHost(
            self._service,
            self._group,
            name,
            f"unix:{name}",
            maxConnections=limit,
            origin=CLONES,
        )

    def drain(self, name: str) -> None:
        """
        Let a clone get nothing new.
        """
        self._do(lambda: self.pools.drain(self._service, self._group, name))

    def remove(self, name: str) -> None:
        """
        Remove a clone that is gone.
        """
        self._do(lambda: self.pools.delHost(self._service, self._group, name))

    def clear(self) -> None:
        """
        Remove all clones, as none is left.
        """
        with contextlib.suppress(UnknownName):
            for host in self.pools.getGroup(self._service, self._group).hosts:
                if host.origin == CLONES:
                    self.remove(host.name)

    def advance(self, now: float) -> None:
        """
        Do what could not be done before. The balancer advances the pools.
        """
        with contextlib.suppress(ChangeUnderWay):
            self._catchUp()

    def _do(self, change: Callable[[], object]) -> None:
        self._later.append(lambda: _unlessGone(change))
        self.advance(0.0)

    def _catchUp(self) -> None:
        while self._later:
            self._later[0]()
            del self._later[0]


def _unlessGone(change: Callable[[], object]) -> None:
    # A reload may have removed the group.
    with contextlib.suppress(UnknownName):
        change()
