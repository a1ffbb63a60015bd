"""
The parts of a balancer that its listeners and its file use.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from twisted.application.service import MultiService
    from twisted.internet.defer import Deferred

    from txlb.application._engine import Engine
    from txlb.application._slices import Slices
    from txlb.manager import ProxyManager
    from txlb.model import ProxyHost, ProxyService
    from txlb.pool import Event


class Clones(Protocol):
    """
    The clones of a balancer's groups, as far as its listeners use them: a
    L{txlb.application._clones.ClonesService}.
    """

    def changed(self) -> None:
        """
        Look soon whether other clones are wanted.
        """

    def whyPassed(self, service: str) -> str | None:
        """
        Tell why this process accepts the connections of a service's clones.
        """


class Sources(Protocol):
    """
    The sources of hosts, as far as shared changes use them: a
    L{txlb.application._discovery.DiscoveryService}.
    """

    def said(self, serviceName: str, groupName: str, name: str) -> ProxyHost | None:
        """
        Return a host as its source says it.
        """


class Runs(Protocol):
    """
    The parts of a L{txlb.application.service.LoadBalancedService} that its listeners and its
    file use. So their modules don't import its module, which imports them.

    @ivar configuration: the L{txlb.application.ConfigurationFile}, which sets it.
    """

    configuration: Any

    @property
    def manager(self) -> ProxyManager:
        """
        The manager.
        """

    @property
    def engine(self) -> Engine:
        """
        The parts of the present run.
        """

    @property
    def proxies(self) -> MultiService:
        """
        The service whose children are the listeners.
        """

    @property
    def clones(self) -> Clones:
        """
        The clones of groups.
        """

    @property
    def discovery(self) -> Sources:
        """
        The sources of hosts.
        """

    @property
    def slices(self) -> Slices:
        """
        The runner of work that takes long.
        """

    def verify(self, services: Iterable[ProxyService]) -> None:
        """
        Check that everything that services need can be had.
        """

    def applyInSlices(self, services: Iterable[ProxyService]) -> Deferred[tuple[Event, ...]]:
        """
        Make these the services.
        """
