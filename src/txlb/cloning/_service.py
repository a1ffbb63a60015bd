"""
Services that are cloned, for a C{.tac}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import IServiceCollection, Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from txlb._reactor import pickedReactor
from txlb.cloning._group import CloneGroup
from txlb.cloning._groups import begin, end, folderOf, groupAt
from txlb.cloning._listenersettings import ListenerSettings, listenerSettings
from txlb.cloning._reactor import SharingReactor
from txlb.cloning._rendezvous import CloningError
from txlb.cloning._settings import CloneSettings, processCount
from txlb.cloning._sharedendpoint import listenOn
from txlb.cloning._startup import startingUp
from txlb.model import HostMapper, ProxyHost


class CloningService(Service):
    """
    Serves an endpoint with several processes. The process that C{twistd} starts is the
    manager; it starts the clones, which run the same C{.tac}, and grants them the
    connections that come.

    Several of them in one application share the processes, so they have the same
    C{processes}, C{graceTime} and C{folder}.

    @param endpoint: a server endpoint's description, as for
        L{twisted.internet.endpoints.serverFromString}: C{"tcp:8080"}.
    @param factory: makes a protocol for each connection, in the clones.
    @param processes: the clones, 1 to 256, or C{"auto"} for one for each CPU that the
        process may use.
    @param scheduler: the policy that chooses a clone for each connection.
    @param maxConnections: the most connections that a clone has on this endpoint, 1 or more;
        clients wait in the accept queue then. L{None} for no limit.
    @param graceTime: seconds that a clone which ends gives its connections, 0 or more.
    @param folder: where the processes find each other; by default C{run/NAME} in the
        working directory, after the name of the application.
    @param admission: C{allow} and C{deny}, lists of networks; C{ratePerClient}, connections
        a second; C{burstPerClient}: the clients that are admitted, as for a
        L{txlb.model.ProxyService}.
    @param standby: whether one more process waits, with all code imported, to take the
        manager's place at once if it dies; it costs the memory of a process that serves
        nothing. Without it a clone manages until a fresh process has started.
    @param hosts: hosts beside the clones, each a L{txlb.model.ProxyHost} or a
        L{txlb.model.HostMapper}, of which the host counts alone. The manager relays their
        connections.
    @param sharing: how the clones share the connections: C{"grants"}, the manager chooses a
        clone for each; C{"queue"}, the quickest clone accepts; C{"reuseport"}, each clone has an
        accept queue of its own, and the kernel chooses one. With the last two there is no
        scheduler. Where grants can't be had it is C{"queue"}, and the log says so.
    @param slowStart: seconds in which the weight of a clone that has come grows to its own, 0
        for at once. It counts with schedulers that heed weights.
    @raise CloningError: a setting is wrong.
    @raise SystemExit: likewise, if C{twistd} is reading a C{.tac}; the message names its line.
    """

    def __init__(
        self,
        endpoint: str,
        factory: IProtocolFactory,
        processes: int | str = "auto",
        scheduler: str = "leastc",
        maxConnections: int | None = None,
        graceTime: float = 30.0,
        folder: str | None = None,
        standby: bool = True,
        hosts: Sequence[HostMapper | ProxyHost] = (),
        sharing: str = "grants",
        slowStart: float = 0.0,
        **admission: Any,
    ) -> None:
        self.endpoint = endpoint
        self.factory = factory
        self.folder = folder
        with startingUp():
            self.settings = CloneSettings(processCount(processes), graceTime, standby)
            self.listenerSettings = listenerSettings(
                scheduler, maxConnections, admission, hosts, sharing, slowStart
            )
        self.port: IListeningPort | None = None
        self._group: CloneGroup | None = None
        # What it listens with if a balancer has started this process.
        self.sharing: Any = None

    def privilegedStartService(self) -> None:
        """
        Listen, while the process has the rights for it.

        @raise CannotListenError: that can't be done.
        @raise CloningError: the endpoint can't be shared, or the folder can't be used.
        @raise SystemExit: one of them, if C{twistd} starts the application.
        """
        if self.sharing is not None:
            if self.port is None:
                self.port = listenOn(self.sharing, self.endpoint, self.factory)
        elif self._group is None:
            with startingUp():
                self._group = group = groupAt(folderOf(self, self.folder), self.settings)
                sharing = SharingReactor(pickedReactor(), group, self.listenerSettings)
                self.port = listenOn(sharing, self.endpoint, self.factory)

    def startService(self) -> None:
        """
        Begin, when the reactor runs.

        @raise SystemExit: the folder can't be used; the message tells why.
        """
        super().startService()
        self.privilegedStartService()
        if self._group is not None:
            begin(self._group)

    def stopService(self) -> Deferred[None]:
        """
        Accept nothing more.

        @return: fires with L{None} when the connections have ended, those of clones
            included if this is the manager, or the grace time is over.
        """
        super().stopService()
        group, self._group = self._group, None
        if group is None:
            return _done()
        return end(group)


def cloneApplication(
    application: Any,
    processes: int | str = "auto",
    scheduler: str = "leastc",
    graceTime: float = 30.0,
    folder: str | None = None,
    standby: bool = True,
    hosts: Sequence[HostMapper | ProxyHost] = (),
    sharing: str = "grants",
    slowStart: float = 0.0,
) -> None:
    """
    Clone an application that exists: everything that its services listen on is shared by
    the clones. These are services of C{twisted.application.internet}: C{TCPServer},
    C{SSLServer}, C{UNIXServer} and C{StreamServerEndpointService}, which
    C{twisted.application.strports.service} makes. Other services run in the manager and in
    each clone.

    Call it after the services were added.

    The parameters mean what they mean for L{CloningService}.

    @param application: as L{twisted.application.service.Application} makes it.
    @param hosts: hosts beside the clones. The application listens once then, as each of them
        serves one kind of client.
    @raise CloningError: there is nothing to clone, or a setting is wrong.
    @raise SystemExit: likewise, if C{twistd} is reading a C{.tac}; the message names its line.
    """
    with startingUp():
        settings = CloneSettings(processCount(processes), graceTime, standby)
        listening = listenerSettings(scheduler, hosts=hosts, sharing=sharing, slowStart=slowStart)
        service = _Cloning(application, settings, folder, listening)
        service.take(IServiceCollection(application))
        if not service.count:
            raise CloningError(
                "the application listens on nothing that can be cloned: add the services first, "
                "TCPServer, SSLServer, UNIXServer or StreamServerEndpointService"
            )
        if hosts and service.count > 1:
            raise CloningError(
                f"the application listens {service.count} times, and hosts does not say whose "
                "connections the hosts get: use a CloningService with hosts for that one"
            )
    # It is the first one, so that the others find it ready when they listen.
    service.setServiceParent(application)
    collection: Any = IServiceCollection(application)
    collection.services.remove(service)
    collection.services.insert(0, service)


class _Cloning(Service):
    """
    The clones of an application whose services know nothing of them.
    """

    def __init__(
        self,
        application: Any,
        settings: CloneSettings,
        folder: str | None,
        listenerSettings: ListenerSettings,
    ) -> None:
        self._listenerSettings = listenerSettings
        self.count = 0
        self._settings = settings
        self._folder = folder
        self._group: CloneGroup | None = None
        self._reactor = LateReactor()

    def take(self, collection: Any) -> None:
        """
        Let the services of a collection listen with shared sockets.
        """
        self.count += takeServices(collection, self._reactor)

    def privilegedStartService(self) -> None:
        """
        Be ready before the other services listen.
        """
        if self._group is None:
            with startingUp():
                self._group = groupAt(folderOf(self, self._folder), self._settings)
            self._reactor.found = SharingReactor(
                pickedReactor(), self._group, self._listenerSettings
            )

    def startService(self) -> None:
        """
        Begin, when the reactor runs and the other services listen.
        """
        super().startService()
        self.privilegedStartService()
        if self._group is not None:
            begin(self._group)

    def stopService(self) -> Deferred[None]:
        """
        See L{CloningService.stopService}.
        """
        super().stopService()
        group, self._group = self._group, None
        if group is None:
            return _done()
        return end(group)


class LateReactor:
    """
    Stands for a L{SharingReactor} that is made when the application starts.
    """

    found: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.found, name)


def takeServices(collection: Any, reactor: Any) -> int:
    """
    Let the services of a collection listen with another reactor.

    @return: how many there are that do.
    """
    count = 0
    for child in collection:
        if isinstance(child, StreamServerEndpointService):
            endpoint: Any = child.endpoint
            # The endpoint that a wrapper such as tls: has.
            endpoint = getattr(endpoint, "_wrappedEndpoint", endpoint)
            endpoint._reactor = reactor  # noqa: SLF001 - it has no public name
            count += 1
        elif getattr(child, "method", None) in {"TCP", "SSL", "UNIX"}:
            child.reactor = reactor
            count += 1
        elif IServiceCollection.providedBy(child):
            count += takeServices(child, reactor)
    return count


def _done() -> Deferred[None]:
    done: Deferred[None] = Deferred()
    done.callback(None)
    return done
