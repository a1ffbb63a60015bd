"""
The service that asks hosts for their loads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.application.service import Service

if TYPE_CHECKING:
    from txlb.application.service import LoadBalancedService
    from txlb.resources import ResourceMonitor


class ResourceService(Service):
    """
    The resource probes of a balancer, while it runs. Owned by the balancer, as its
    child C{resources}.
    """

    name = "resources"

    def __init__(self, balancer: LoadBalancedService) -> None:
        self._balancer = balancer
        self._monitor: ResourceMonitor | None = None

    def startService(self) -> None:
        """
        Start asking.
        """
        super().startService()
        self._monitor = self._balancer.engine.monitor
        self._monitor.startService()

    def stopService(self) -> None:
        """
        Stop asking.
        """
        super().stopService()
        monitor, self._monitor = self._monitor, None
        if monitor is not None:
            monitor.stopService()
