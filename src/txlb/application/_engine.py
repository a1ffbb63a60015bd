"""
The parts of one run of a balancer.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from txlb.application._events import EventLog
from txlb.application._plugins import discoverPlugins
from txlb.application._readiness import Readiness
from txlb.application._timer import PoolTimer
from txlb.connecting import reactorEndpointOf
from txlb.deadlines import Deadlines
from txlb.errors import ModelError
from txlb.health import MAX_CHECKS, ConnectOnly, Heartbeat
from txlb.manager import ProxyManager
from txlb.model import ListenAddress, Listener, ProxyService, checkingPlaces
from txlb.pool import Host, Outcome
from txlb.proxy import (
    ClientConnection,
    ConnectionLimit,
    ConnectionRecord,
    ConnectionTable,
    FastRelay,
    Frontend,
    ListenerShare,
    Loop,
    PortableRelay,
    ReactorListener,
    SharedListener,
    SocketListener,
    whyNotFast,
)
from txlb.resolve import NameService
from txlb.resources import ResourceMonitor
from txlb.tls import TLSStore
from txlb.tls import settingsOf as tlsSettingsOf

#: The reason against the fast relay if the reactor listens.
IN_MEMORY = "this reactor opens no sockets"

_log = Logger()


class Engine:
    """
    One run of a balancer, from listening to the end of the last connection.
    Owned by its L{txlb.application.service.LoadBalancedService}, which makes a
    new one for each run.

    @param record: see L{setRecord}.
    @param maxChecks: health checks under way at once.
    @param inMemory: whether the reactor listens and connects, and nothing is opened
        beside it.
    @param tls: has the contexts for TLS; by default one of its own.
    @param logsEvents: whether it logs the manager's events.
    @raise ModelError: a service asks for a relay that can't be had here, or a
        health check or a resource probe can't be made as it is configured, or a certificate
        can't be used.

    @ivar tls: has the contexts for TLS.
    @ivar heartbeat: checks the hosts; started and stopped by the balancer, as
        it ends before the connections do.
    @ivar monitor: asks the hosts for their loads, likewise.
    @ivar readiness: whether each service accepts clients.
    @ivar reactor: the reactor.
    @ivar deadlines: the timers of this run.
    @ivar started: whether L{start} was called.
    @ivar socketsAt: finds the sockets that listen at an address already.
    """

    def __init__(
        self,
        manager: ProxyManager,
        reactor: Any,
        record: Callable[[ConnectionRecord], object] | None,
        maxChecks: int = MAX_CHECKS,
        *,
        inMemory: bool = False,
        tls: TLSStore | None = None,
        logsEvents: bool = True,
    ) -> None:
        self._manager = manager
        self._logsEvents = logsEvents
        self.tls = TLSStore() if tls is None else tls
        self.reactor = self._reactor = reactor
        self._inMemory = inMemory
        # The pools' clock, as attempts say their deadlines by it.
        self.deadlines = Deadlines(reactor, manager.seconds)
        self.connectionLimit = ConnectionLimit()
        self._table = ConnectionTable()
        self._names = NameService(manager, reactor, self.deadlines)
        self._eventLog = EventLog(self.deadlines)
        self._timer = PoolTimer(manager, self.deadlines)
        self.heartbeat = Heartbeat(
            manager,
            reactor,
            self.deadlines,
            maxChecks=maxChecks,
            sockets=ConnectOnly(reactor) if inMemory else None,
        )
        self.monitor = ResourceMonitor(manager, reactor, self.deadlines)
        self.readiness = Readiness(manager, self._names, self.deadlines)
        self._unsubscribe: Callable[[], None] | None = None
        self._whyNotFast = IN_MEMORY if inMemory else whyNotFast(reactor)
        self._loop: Loop | None = None
        self.started = False
        self.socketsAt: Callable[[ListenAddress], Sequence[socket.socket]] = _noSockets
        self._record = record
        self._frontends: dict[str, Frontend] = {}
        # By the addresses that the configuration says.
        self._shared: dict[ListenAddress, SharedListener] = {}
        # The frontends of removed services, until their connections have ended.
        self._former: list[Frontend] = []
        for _ in checkingPlaces(manager.services.values()):
            pass
        self.prepare(manager.services.values())
        self.configure()

    def prepare(self, services: Iterable[ProxyService]) -> None:
        """
        Prepare everything that these services need, before they are the manager's.

        @raise ModelError: a service asks for a relay that is not available, or for a
            health check that can't be made.
        """
        for _ in self.preparing(services):
            pass

    def preparing(self, services: Iterable[ProxyService]) -> Iterator[None]:
        """
        Do the same as L{prepare}, step by step.

        @raise ModelError: while it is iterated over, as L{prepare} does.
        """
        for service in services:
            yield from self.tls.preparing([service])
            yield from self.heartbeat.verifying(service)
            self.monitor.verifyAll(service)
            yield
            preface = next((each for each in service.listeners if each.hasPreface), None)
            if self._inMemory and preface is not None:
                raise ModelError(
                    f"service {service.name!r} reads PROXY headers or server names on "
                    f"{preface.address}, but {IN_MEMORY}; leave that out here"
                )
            if service.relay == FastRelay.name and self._whyNotFast is not None:
                raise ModelError(
                    f"service {service.name!r} asks for the fast relay, but {self._whyNotFast}; "
                    'with the relay "auto" it would get the portable one'
                )
            if service.relay != PortableRelay.name and self._whyNotFast is None:
                self._ensureLoop()

    def _ensureLoop(self) -> None:
        if self._loop is None:
            self._loop = Loop(self._reactor, self.deadlines)
            if self.started:
                self._fit()
                self._loop.start()

    def _fit(self) -> None:
        """
        Compute the most connections and pipes.
        """
        if self._inMemory:
            return
        wanted = 0 if self._loop is None else self._loop.pipes.most
        allowed = self.connectionLimit.fitThisProcess(self._reactor, wanted)
        if self._loop is not None:
            self._loop.pipes.most = allowed

    def configure(self) -> None:
        """
        Serve the manager's services as they are now. Services that stay go on; those
        that are gone accept no new clients.
        """
        for _ in self.configuring():
            pass
        self.tls.retain(self._manager.services.values())

    def configuring(self) -> Iterator[None]:
        """
        Do the same as L{configure}, with one service at each step. The services don't change
        meanwhile.
        """
        services = dict(self._manager.services)
        for name in [name for name in self._frontends if name not in services]:
            frontend = self._frontends.pop(name)
            frontend.close()
            self._former.append(frontend)
        self._former = [each for each in self._former if each.connectionCount()]
        for name in services:
            self._configureOne(name)
            yield
        # In the manager's order.
        self._frontends = {name: self._frontends[name] for name in services}

    def _configureOne(self, name: str) -> None:
        """
        Serve a service as it is now. Its frontend is made if there is none.
        """
        known = self._frontends.get(name)
        before = None if known is None else known.relay.name
        if known is None:
            known = self._frontends[name] = self._newFrontend(name)
        else:
            known.configure(self._loop)
        if self.started and known.relay.name != before:
            self._tellRelay(known)

    def changing(self, services: Sequence[ProxyService]) -> Callable[[], object]:
        """
        Prepare what services need that a verb is about to change: the contexts of TLS.

        @return: has their new connections served as the services are then. With TLS to a host
            that may take another relay.
        @raise ModelError: a file of TLS can't be used.
        """
        self.tls.prepare(services)
        before = self._manager.services
        secured = [
            each.name
            for each in services
            if each.name in self._frontends
            and any(tlsSettingsOf([each, before.get(each.name, each)]))
        ]
        return partial(self._changed, secured)

    def _changed(self, names: Iterable[str]) -> None:
        for name in names:
            self._configureOne(name)
        self.tls.retain(self._manager.services.values())

    def _newFrontend(self, serviceName: str) -> Frontend:
        frontend = Frontend(
            serviceName,
            self._manager,
            self._reactor,
            self.deadlines,
            self.connectionLimit,
            loop=self._loop,
            table=self._table,
            makeEndpoint=reactorEndpointOf if self._inMemory else None,
            tls=self.tls,
        )
        frontend.record = self._record
        frontend.frontendOf = self.frontendOf
        return frontend

    def frontendOf(self, serviceName: str) -> Frontend | None:
        """
        Find the frontend of a service.

        @return: the frontend, or L{None} if there is no such service.
        """
        return self._frontends.get(serviceName)

    def setRecord(self, record: Callable[[ConnectionRecord], object] | None) -> None:
        """
        Set the receiver of records.

        @param record: is called with the record of each connection that has ended;
            L{None} for no records.
        """
        self._record = record
        for frontend in self.allFrontends:
            frontend.record = record

    def giveWay(self) -> None:
        """
        Let relayed connections go on, in the midst of other work; see L{Loop.giveWay}.
        """
        if self._loop is not None:
            self._loop.giveWay()

    @property
    def loop(self) -> Loop | None:
        """
        Where the fast relays run; L{None} if no service uses one.
        """
        return self._loop

    @property
    def allFrontends(self) -> list[Frontend]:
        """
        The frontends of all services, and those of removed services that still have
        connections.
        """
        return [*self._frontends.values(), *self._former]

    def listen(self, serviceName: str, configured: Listener) -> ListenerShare:
        """
        Listen for a service, without accepting yet.

        @raise ListenError: the address can't be had.
        """
        listener = self.open(configured)
        self.give(listener, serviceName, configured)
        return listener

    def open(self, configured: Listener) -> ListenerShare:
        """
        Listen, for a service that is still to be named by L{give}.

        @raise ListenError: the address can't be had.
        """
        place = configured.place
        shared = self._shared.get(place)
        if shared is None or not shared.shares:
            shared = SharedListener(self._bind(configured))
            self._remember(shared, configured)
        return shared.share(configured)

    def _remember(self, shared: SharedListener, configured: Listener) -> None:
        """
        Let other services share an address that the configuration says.
        """
        if configured.isFixed:
            gone = [place for place, each in self._shared.items() if not each.shares]
            for place in gone:
                del self._shared[place]
            self._shared[configured.place] = shared

    def _bind(self, configured: Listener) -> SocketListener | ReactorListener:
        if self._inMemory:
            return ReactorListener(configured, self._reactor, _ignore)
        sockets = self.socketsAt(configured.address)
        return SocketListener(configured, self._reactor, self.deadlines, _closeAtOnce, sockets)

    def give(self, listener: ListenerShare, serviceName: str, configured: Listener) -> None:
        """
        Let a listener accept for this service from now on.

        @param configured: the listener as the service has it.
        """
        frontend = self._frontends[serviceName]
        watcher = self._reactor
        if self._loop is not None and frontend.relay.name == FastRelay.name:
            watcher = self._loop
        listener.giveTo(frontend, watcher, configured)
        if self._shared.get(configured.place) is not listener.shared:
            # The system has chosen its port.
            self._remember(listener.shared, configured)

    def start(self, *, runs: bool = True) -> None:
        """
        Begin to serve the pools, and find out when clients can be served.

        @param runs: whether relays run from now on. If not, L{run} comes later.
        """
        self.started = True
        for problem in discoverPlugins():
            _log.warn("{problem}", problem=problem)
        self._fit()
        if runs:
            self.run()
        for frontend in self._frontends.values():
            self._tellRelay(frontend)
        self.deadlines.guard()
        if self._logsEvents:
            self._unsubscribe = self._manager.subscribe(self._eventLog)
        self._manager.onError = _observerFailed
        self._timer.startService()
        self._names.startService()
        self.readiness.start()

    def run(self) -> None:
        """
        Let relays run.
        """
        if self._loop is not None:
            self._loop.start()

    def _tellRelay(self, frontend: Frontend) -> None:
        _log.info(
            "{service}: relay: {relay}{why}",
            service=frontend.serviceName,
            relay=frontend.relay.name,
            why=self._why(frontend.serviceName),
        )

    def _why(self, serviceName: str) -> str:
        """
        Return the reason for a service's relay, for the log; an empty text for the usual one.
        """
        asked = self._manager.getService(serviceName).relay
        if asked != "auto":
            return " (configured)"
        return "" if self._whyNotFast is None else f" ({self._whyNotFast})"

    def clientOf(
        self, host: str, port: int, serverHost: str | None = None, serverPort: int | None = None
    ) -> object:
        """
        Return the client behind a connection that a host has.

        @raise UnknownConnection: there is no such connection, or more than one.
        """
        if not self._table.tracking:
            self._table.tracking = True
            for frontend in self.allFrontends:
                frontend.trackConnections()
        return self._table.clientOf(host, port, serverHost, serverPort)

    def stop(self, graceTime: float) -> Deferred[None]:
        """
        Wait for the connections to end.

        @param graceTime: seconds after which the remaining ones are reset.
        @return: fires with L{None} when there is none left. It does not fail.
        """
        self.readiness.stop()
        if self.connectionLimit.active:
            _log.info(
                "waiting {graceTime:g} s for {active} connections to end",
                graceTime=graceTime,
                active=self.connectionLimit.active,
            )
        self.deadlines.after(graceTime, self._graceIsOver)
        return self.connectionLimit.whenEmpty().addCallback(lambda _: self._end())

    def _graceIsOver(self) -> None:
        _log.warn(
            "resetting {active} connections that did not end", active=self.connectionLimit.active
        )
        self.abortAll()

    def _end(self) -> None:
        self.tls.slowSteps.close()
        self._timer.stopService()
        self._names.stopService()
        if self._loop is not None:
            self._loop.stop()
        for frontend in self.allFrontends:
            frontend.sayRefusals()
        self._eventLog.flush()
        self.deadlines.stop()
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def cutSoon(self, host: Host, outcome: Outcome) -> None:
        """
        Reset the connections of a host, but not while an event of one is handled.
        """
        self.deadlines.after(0.0, lambda: self._cut(host, outcome))

    def _cut(self, host: Host, outcome: Outcome) -> None:
        for frontend in self.allFrontends:
            frontend.leaveHost(host, outcome)

    def abortAll(self) -> None:
        """
        Reset every connection.
        """
        for frontend in self.allFrontends:
            frontend.abortAll()


def _closeAtOnce(client: ClientConnection) -> None:
    """
    Close a connection of a listener that no service has yet. Such a listener does not
    accept.
    """
    client.close()


def _noSockets(_address: ListenAddress) -> Sequence[socket.socket]:
    return ()


def _ignore(_client: ClientConnection) -> None:
    """
    Do nothing. A listener of the reactor accepts no connection before it has started.
    """


def _observerFailed(error: Exception) -> None:
    _log.error("an observer of events failed: {error!r}", error=error)
