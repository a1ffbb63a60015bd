"""
The clones of an application as hosts of pools that its manager has for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
                self.pools.addHost(
                    SERVICE,
                    each.name,
                    name,
                    # A host has an address; the manager connects to none of them.
                    f"unix:{name}",
                    maxConnections=each.settings.maxConnections,
                    origin=CLONES,
                )

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
