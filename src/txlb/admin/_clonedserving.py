"""
Whether a cloned application serves clients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from txlb.errors import TxlbError

if TYPE_CHECKING:
    from txlb.manager import ProxyManager


class ClonedServing:
    """
    Tells whether a cloned application serves clients, as L{txlb.application._serving.Serving}
    does of a balancer. Each group of its service has a listener of its own.

    @param manager: has the clones as hosts.
    """

    def __init__(self, manager: ProxyManager) -> None:
        self._manager = manager

    def whyNot(
        self, serviceName: str = "", *, hosts: bool = False, leader: bool = False
    ) -> list[str]:
        """
        Tell why clients are not served. Clones accept by themselves, so each listener needs one.

        @param hosts: has no effect: the hosts are the clones.
        @param leader: whether it has to lead a cluster. A cloned application is in none.
        @raise UnknownName: there is no such service.
        """
        names = [serviceName] if serviceName else list(self._manager.services)
        pools = [
            self._manager.getPool(name, group.name)
            for name in names
            for group in self._manager.getService(name).groups
        ]
        reasons = [pool.whyNoHost for pool in pools if pool.whyNoHost]
        return [*reasons, "it is in no cluster"] if leader else reasons

    @property
    def isTakenOut(self) -> bool:
        """
        Whether an administrator has taken it out.
        """
        return False

    @isTakenOut.setter
    def isTakenOut(self, _isTakenOut: bool) -> None:
        raise TxlbError(
            "a cloned application can't be taken out: let the program that gives it its address, "
            "such as keepalived, take the address away"
        )
