"""
The discovery of hosts as a part of a balancer.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from twisted.application.service import Service

from txlb.discovery import Discoverer, DiscoveryState, Store
from txlb.errors import TxlbError
from txlb.model import Discovery, ProxyHost, ProxyService

if TYPE_CHECKING:
    from txlb.application._runs import Runs

#: The folder of the last known hosts, in the state directory.
FOLDER = "discovery"

#: Why no service accepts clients for a moment after the start.
RESTORING = "groups get the hosts that were known last"


class DiscoveryService(Service):
    """
    Lets groups have the hosts that their sources find, while the balancer runs. Owned by the
    balancer, as its child C{discovery}.

    Relative paths of sources begin at the folder of the configuration file; without one, at the
    working directory.

    @param balancer: the balancer.

    @ivar stateDirectory: the folder for data that is kept from one run to the next; L{None} for
        keeping nothing, so that a balancer starts without hosts that were found. It is used from
        the next start on.
    """

    name = "discovery"

    def __init__(self, balancer: Runs) -> None:
        self._balancer = balancer
        self._discoverer: Discoverer | None = None
        self.stateDirectory: str | None = None

    def startService(self) -> None:
        """
        Begin with the hosts that were known last, and follow the sources.
        """
        super().startService()
        self._discoverer = self._made()
        self._discoverer.startService()
        restored = self._discoverer.whenRestored()
        if not restored.called:
            # Clients wait in the backlog meanwhile.
            readiness = self._balancer.engine.readiness
            readiness.hold(RESTORING)
            restored.addCallback(lambda _: readiness.release(RESTORING))

    def stopService(self) -> None:
        """
        Follow the sources no more.
        """
        super().stopService()
        discoverer, self._discoverer = self._discoverer, None
        if discoverer is not None:
            discoverer.stopService()

    def _made(self) -> Discoverer:
        file = self._balancer.configuration
        folder = os.getcwd() if file is None else os.path.dirname(os.path.abspath(file.path))
        store = None
        if self.stateDirectory is not None:
            store = Store(os.path.join(self.stateDirectory, FOLDER))
        engine = self._balancer.engine
        return Discoverer(self._balancer, engine.reactor, engine.deadlines, folder, store)

    def verifyAll(self, service: ProxyService) -> None:
        """
        Check that all sources of a service can be made.

        @raise ModelError: one can't be made as it is configured.
        """
        if any(group.discover is not None for group in service.groups):
            (self._discoverer or self._made()).verifyAll(service)

    def verify(self, place: tuple[str, str], discovery: Discovery | None) -> None:
        """
        Check that a source can be made.

        @raise ModelError: it can't be made as it is configured.
        """
        (self._discoverer or self._made()).verify(place, discovery)

    def states(self) -> Sequence[DiscoveryState]:
        """
        Return what is known of each group that has a source; nothing if the balancer does not
        run.
        """
        return [] if self._discoverer is None else self._discoverer.states()

    def said(self, serviceName: str, groupName: str, name: str) -> ProxyHost | None:
        """
        Return a host as its source says it, without what people want of it; L{None} if no source
        has found it.
        """
        if self._discoverer is None:
            return None
        return self._discoverer.said(serviceName, groupName, name)

    def accept(self, serviceName: str, groupName: str) -> bool:
        """
        Use the answer of a group's source that is held back, as it leaves out too many hosts.

        @return: whether there was one.
        @raise UnknownName: there is no such group, or it has no source.
        @raise TxlbError: the balancer does not run.
        """
        if self._discoverer is None:
            raise TxlbError("the balancer does not run, so no source has an answer")
        return self._discoverer.accept(serviceName, groupName)
