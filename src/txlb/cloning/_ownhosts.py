"""
The clones of an application as hosts of pools that its manager has for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

from txlb.cloning._kept import Hosts, hostsKept, without
from txlb.cloning._listener import SharedListener
from txlb.manager import ProxyManager
from txlb.model import CLONES, ProxyService
from txlb.pool import HostPool

#: The name of the service whose groups are the clones of each listener.
SERVICE = "clones"


class OwnHosts:
    """
    The clones as hosts of a L{ProxyManager} with one service, C{clones}, in which each listener
    has a group. The L{CloneManager} owns it.

    @ivar pools: the manager.
    """

    def __init__(self, listeners: Sequence[SharedListener], seconds: Callable[[], float]) -> None:
        self._listeners = listeners
        # What a former manager knew of clones that have not come yet, and what is changed.
        self._kept: Hosts = {}
        # A service has one group that serves; here each listener's does, and none of them
        # gets its clients from a relay.
        groups = [
            each.settings.groupNamed(each.name, not number) for number, each in enumerate(listeners)
        ]
        addresses = [each.address for each in listeners]
        self.pools = ProxyManager(
            [ProxyService(SERVICE, addresses, groups=groups)], seconds=seconds
        )

    def poolOf(self, number: int) -> HostPool:
        """
        Return the pool of a listener.
        """
        return self.pools.getPool(SERVICE, self._listeners[number].name)

    def add(self, name: str) -> None:
        """
        Add a clone, if it is not there.
        """
        for number, each in enumerate(self._listeners):
            if name not in {host.name for host in self.poolOf(number).hosts}:
                settings = {
                    "maxConnections": each.settings.maxConnections,
                    **self._kept.get(each.name, {}).get(name, {}),
                }
                # A host has an address; the manager connects to none of them.
                address = f"unix:{name}"
                self.pools.addHost(SERVICE, each.name, name, address, origin=CLONES, **settings)

    def know(self, kept: Hosts) -> None:
        """
        Take over settings of clones, also of those that are there.
        """
        self._kept = kept
        for each in self._listeners:
            clones = kept.get(each.name, {})
            for host in self.pools.getGroup(SERVICE, each.name).hosts:
                settings = dict(clones.get(host.name, {}))
                usual = each.settings.usual(host.name)
                weight = settings.pop("weight", usual.weight)
                self.pools.setWeight(SERVICE, each.name, host.name, weight)
                state = settings.pop("state", usual.state)
                getattr(self.pools, state)(SERVICE, each.name, host.name)
                self.pools.setHost(SERVICE, each.name, host.name, **settings)

    def forget(self, name: str) -> None:
        """
        Forget what a former manager knew of a clone, unless it is there.
        """
        pools = [self.poolOf(number) for number, _ in enumerate(self._listeners)]
        if not any(name == host.name for pool in pools for host in pool.hosts):
            self._kept = without(self._kept, name)

    def changed(self, ending: Container[str]) -> Hosts:
        """
        Return the settings of clones that differ from those of the file.

        @param ending: clones that are about to end, which are left out.
        """
        groups = [
            (self.pools.getGroup(SERVICE, each.name), each.settings.usual)
            for each in self._listeners
        ]
        self._kept = hostsKept(groups, ending, self._kept)
        return self._kept

    def drain(self, name: str) -> None:
        """
        Let a clone get nothing new.
        """
        for each in self._listeners:
            self.pools.drain(SERVICE, each.name, name)

    def remove(self, name: str) -> None:
        """
        Remove a clone that is gone.
        """
        for each in self._listeners:
            self.pools.delHost(SERVICE, each.name, name)

    def advance(self, now: float) -> None:
        """
        Let the pools do what is due.
        """
        self.pools.advance(now)
