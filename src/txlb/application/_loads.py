"""
The service that asks hosts for their loads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.application.service import Service

if TYPE_CHECKING:
    from txlb.resources import ResourceMonitor


class ResourceService(Service):
    """
    The resource probes of a balancer, while it runs. Owned by the balancer, as its
    child C{resources}.

    @param monitorOf: returns the runner of the probes for this run.
    """

    name = "resources"

    def __init__(self, monitorOf: Callable[[], ResourceMonitor]) -> None:
        self._monitorOf = monitorOf
        self._monitor: ResourceMonitor | None = None

    def startService(self) -> None:
        """
        Start asking.
        """
        super().startService()
        self._monitor = self._monitorOf()
        self._monitor.startService()

    def stopService(self) -> None:
        """
        Stop asking.
        """
        super().stopService()
        monitor, self._monitor = self._monitor, None
        if monitor is not None:
            monitor.stopService()
