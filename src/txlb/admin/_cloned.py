"""
A cloned application in the place of a balancer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from twisted.internet.defer import Deferred, succeed

from txlb.admin._clonedserving import ClonedServing
from txlb.errors import TxlbError, UnknownConnection, UnknownName
from txlb.schedulers import schedulerKind

if TYPE_CHECKING:
    from txlb.interfaces import IClones
    from txlb.manager import ProxyManager
    from txlb.pool import Event


@dataclass(frozen=True, slots=True)
class ClonedListener:
    """
    A listener that clones share.

    @ivar serviceName: the name of the service of the clones.
    @ivar addresses: where it listens.
    @ivar whyPassed: why the manager accepts its connections and passes them; empty if clones
        accept them by permits.
    """

    serviceName: str
    addresses: Sequence[str]
    whyPassed: str


class ClonedBalancer:
    """
    What commands ask of a L{txlb.application.LoadBalancedService}, answered for an
    application that is cloned. It has no configuration file and no relays, and its clones
    are not checked: each reports itself.

    @ivar configuration: L{None}.
    @ivar certificates: L{None}: an application has its own, if any.
    @ivar cluster: L{None}: it is in none.
    """

    configuration = None
    certificates = None
    cluster = None

    def __init__(self, clones: IClones) -> None:
        self._clones = clones

    @property
    def manager(self) -> ProxyManager:
        """
        The clones as hosts.
        """
        return self._clones.manager

    @property
    def serving(self) -> ClonedServing:
        """
        Tells whether it serves clients.
        """
        return ClonedServing(self.manager)

    def getProxyNames(self) -> list[str]:
        """
        Return the names of the listeners.
        """
        return list(self._clones.listeners)

    def getProxyService(self, proxyName: str) -> ClonedListener:
        """
        Return the listener of a name.

        @raise UnknownName: there is none.
        """
        listeners = self._clones.listeners
        if proxyName not in listeners:
            raise UnknownName("listener", proxyName, listeners)
        why = self._clones.passed.get(proxyName, "")
        return ClonedListener(self._clones.service, (listeners[proxyName],), why)

    def setScheduler(
        self, serviceName: str, groupName: str, lbType: str, **settings: object
    ) -> Deferred[Sequence[Event]]:
        """
        Let the clones of a listener be chosen by another policy. There are few of them, so it
        is done at once. See L{txlb.manager.ProxyManager.setScheduler}.

        @raise TxlbError: the policy looks at clients, and clones accept them by permits.
        """
        self.manager.getGroup(serviceName, groupName)
        if groupName not in self._clones.passed and schedulerKind(lbType).needsClient:
            raise TxlbError(
                f"{lbType} looks at the client's address, and the clones of {groupName} accept "
                "clients by themselves: set it in the application's file, and upgrade the manager"
            )
        events = self.manager.setScheduler(serviceName, groupName, lbType, **settings)
        return succeed(events)

    def switchPort(self, proxyName: str, _address: object) -> NoReturn:
        """
        Refuse to listen elsewhere.

        @raise UnknownName: there is no such listener.
        @raise TxlbError: always otherwise.
        """
        self.getProxyService(proxyName)
        raise TxlbError(
            f"{proxyName} is a listener of a cloned application: change its file, and start it "
            "again"
        )

    def setCheck(self, *_arguments: object) -> NoReturn:
        """
        Refuse to check clones.

        @raise TxlbError: always.
        """
        raise TxlbError("clones are not checked: each one reports itself")

    @property
    def health(self) -> NoReturn:
        """
        The checks, of which there are none.

        @raise TxlbError: always.
        """
        self.setCheck()

    @property
    def history(self) -> NoReturn:
        """
        The history, which is not kept.

        @raise TxlbError: always.
        """
        raise TxlbError("a cloned application keeps no history; its metrics have what counts now")

    def plan(self, _file: str) -> NoReturn:
        """
        Refuse to compare with a configuration file.

        @raise TxlbError: always.
        """
        raise TxlbError("a cloned application has no configuration file; roll takes up its code")

    def getClientAddress(self, *_question: object) -> NoReturn:
        """
        Know no client: they are connected to the clones.

        @raise UnknownConnection: always.
        """
        raise UnknownConnection(
            "no connection is relayed: a client is connected to its clone, where getPeer() of "
            "the transport tells its address"
        )
