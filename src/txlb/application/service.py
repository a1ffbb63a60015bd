"""
The service that is embedded in a C{.tac}.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, fail, gatherResults, succeed

from txlb._reactor import opensSockets, pickedReactor
from txlb.application._applier import Applier
from txlb.application._arrange import placesOf
from txlb.application._certificates import CertificateService
from txlb.application._checks import HealthService, healthCheckFrom
from txlb.application._clones import ClonesService
from txlb.application._cluster import ClusterService
from txlb.application._discovery import DiscoveryService
from txlb.application._embedded import EmbeddedUpgrading
from txlb.application._engine import Engine
from txlb.application._file import ConfigurationFile
from txlb.application._history import HistoryService
from txlb.application._keepers import Keepers
from txlb.application._keptchecks import KeptChecks
from txlb.application._kepthour import KeptHour
from txlb.application._listener import ProxyListener
from txlb.application._loads import ResourceService
from txlb.application._serving import Serving
from txlb.application._slices import Slices
from txlb.application._upgradable import Door
from txlb.config import Configuration, ManagerSettings, loadConfiguration
from txlb.errors import (
    AddressError,
    ModelError,
    SeveralListeners,
    TxlbError,
    UnknownConnection,
    UnknownName,
)
from txlb.health import MAX_CHECKS
from txlb.interfaces import IKeptState
from txlb.manager import ProxyManager
from txlb.model import (
    Address,
    CheckLike,
    Cluster,
    Discovery,
    HostMapper,
    InheritedAddress,
    ListenAddress,
    Plan,
    ProxyService,
    TCPAddress,
    UNIXAddress,
    discoveryFrom,
    parseListenAddress,
    shown,
)
from txlb.model.kinds import Boolean
from txlb.model.settings import settingsOf
from txlb.pool import Event, Host, Outcome
from txlb.proxy import ConnectionRecord
from txlb.tls import TLSStore
from txlb.upgrade import UpgradeCheck, Upgraded

__all__ = ["LoadBalancedService", "ProxyListener"]

_SETTINGS = settingsOf(ManagerSettings)

#: A text that is neither a port nor a part of an address.
_WORD = re.compile(r"[^:/\[\]]*\Z")

#: A policy gets so many hosts at once, in about 5 ms.
HOSTS_AT_ONCE = 1000

_NO_UPGRADER = (
    "this balancer can't be upgraded live: it does not run, or under a reactor that is not the "
    "process's own"
)

_NO_FILE = "this balancer was not made from a configuration file"


class Upgrader(Protocol):
    """
    The part of the process that does upgrades.
    """

    def upgrade(self) -> Deferred[Upgraded]:
        """
        Let another process take over.
        """
        ...

    def check(self) -> UpgradeCheck:
        """
        Tell what would move.
        """
        ...


class LoadBalancedService(MultiService):
    """
    A load balancer as a Twisted service: give it a manager, and make it the
    child of an application or of any other service.

    It listens in C{privilegedStartService}, so that an application that is
    started as root can use ports below 1024, and accepts from C{startService}
    on. It can be stopped and started again. Its child C{proxies} holds a
    L{ProxyListener} for each address, its child C{health} checks the hosts, its
    child C{resources} asks them for their loads, its child C{certificates} follows
    the files of certificates, its child C{discovery} finds hosts, its child C{cluster} is a
    member of a cluster, and its child C{history} keeps the last hour.

    @param pm: the manager; each balancer has one for itself.
    @param reactor: by default the global one, from when the service starts.
    @param graceTime: seconds that open connections have to end when the
        service stops, 0 to a day.
    @param maxChecks: health checks under way at once, 1 to 10,000.
    @param inMemory: whether the reactor listens and connects, by C{listenTCP} and
        C{connectTCP}, and nothing is opened beside it. L{None} for: if it is none of
        Twisted's real reactors, but one for tests such as
        C{twisted.internet.testing.MemoryReactorClock}. L{txlb.testing.MemoryBalancer}
        is made of this.
    @param cluster: the cluster that the balancer is a member of; L{None} for none.

    @ivar manager: the manager.
    @ivar serving: tells whether it serves clients.
    @ivar tls: has the certificates of listeners, and the contexts for TLS.
    @ivar slices: does work that takes long while clients are served.
    @ivar configuration: the file that it was made from; L{None} for none.
    @ivar logins: the C{txlb.admin.Logins} of its doors; L{None} if it has none.
    @ivar doors: the services for administrators that have listeners of their own.
    """

    def __init__(
        self,
        pm: ProxyManager,
        reactor: Any = None,
        *,
        graceTime: float = 10.0,
        maxChecks: int = MAX_CHECKS,
        inMemory: bool | None = None,
        cluster: Cluster | None = None,
    ) -> None:
        super().__init__()
        given: object = pm
        if not isinstance(given, ProxyManager):
            raise ModelError(
                f"a LoadBalancedService is made of a ProxyManager, as proxyManagerFactory makes "
                f"it, not of {shown(given)}"
            )
        self.manager = pm
        if inMemory is not None:
            Boolean().check(inMemory, "inMemory")
        self._inMemory = inMemory
        self._engine: Engine | None = None
        self.graceTime = graceTime
        self.maxChecks = maxChecks
        self.configuration: ConfigurationFile | None = None
        self.logins: Any = None
        self._record: Callable[[ConnectionRecord], object] | None = None
        self._keepers = Keepers()
        self.serving = Serving(
            self,
            lambda: bool(self.running),
            lambda: self.cluster.whyNotLeader,
            self._listeners,
        )
        self._keepers.keep(self.serving)
        self._reactor = reactor
        self.slices = Slices(lambda: self._engine, pm.seconds)
        self.tls = TLSStore()
        self._applier = Applier(self, lambda: self._engine, self._listeners)
        #: Finds sockets that listen at an address already, because a predecessor had them.
        self.socketsTaken: Callable[[ListenAddress], Sequence[socket.socket]] = _noSockets
        # Does upgrades. A process of the balancer's own sets it, otherwise the balancer does.
        self.upgrader: Upgrader | None = None
        self._embedded: EmbeddedUpgrading | None = None
        self.doors: list[Door] = []
        self._whenServing: list[Callable[[], object]] = []
        self._takesOver = False
        # Runs that were stopped and still have connections.
        self._stopping: list[Engine] = []
        self.proxies = MultiService()
        self.proxies.setName("proxies")
        self.proxies.setServiceParent(self)
        for place in placesOf(pm.services.values()):
            listener = ProxyListener(self, place.serviceName, place.index)
            listener.setName(place.name)
            listener.setServiceParent(self.proxies)
        self.health = HealthService(lambda: self.engine.heartbeat)
        self.health.setServiceParent(self)
        self.certificates = CertificateService(self.tls, self.slices, lambda: self.engine)
        self.certificates.setServiceParent(self)
        self.resources = ResourceService(lambda: self.engine.monitor)
        self.resources.setServiceParent(self)
        self.history = HistoryService(pm, lambda: self.engine)
        self.history.setServiceParent(self)
        self.discovery = DiscoveryService(self)
        self.cluster: ClusterService = ClusterService(self, cluster)
        for keeper in pm.keepers:
            self._keepers.keep(keeper, late=keeper.name == "pools")
        self._keepers.keep(KeptHour(self.history))
        self._keepers.keep(self.cluster.kept)
        self._keepers.keep(KeptChecks(lambda: self.engine.heartbeat), late=True)
        self.clones = ClonesService(self)
        for child in (self.discovery, self.cluster, self.clones):
            child.setServiceParent(self)

    @property
    def record(self) -> Callable[[ConnectionRecord], object] | None:
        """
        The receiver of a L{ConnectionRecord} for each connection that has ended, such
        as a L{txlb.application.AccessLog}; L{None} for none.
        """
        return self._record

    @record.setter
    def record(self, record: Callable[[ConnectionRecord], object] | None) -> None:
        self._record = record
        for engine in self._engines():
            engine.setRecord(record)

    def _engines(self) -> list[Engine]:
        """
        List this run, and those before it that still have connections.
        """
        return [*([] if self._engine is None else [self._engine]), *self._stopping]

    def giveWay(self) -> None:
        """
        Let relayed connections go on, in the midst of work that takes the reactor's thread for
        longer than 30 microseconds. It does nothing if the last look at them was shorter ago, and
        for connections of the portable relay, which the reactor handles itself.
        """
        for engine in self._engines():
            engine.giveWay()

    def _cut(self, host: Host, outcome: Outcome) -> None:
        for engine in self._engines():
            engine.cutSoon(host, outcome)

    @property
    def graceTime(self) -> float:
        """
        Seconds that open connections have to end when the service stops; it can be set
        live.
        """
        return self._graceTime

    @graceTime.setter
    def graceTime(self, seconds: float) -> None:
        self._graceTime = float(_SETTINGS["graceTime"].kind.check(seconds, "graceTime"))

    @property
    def maxChecks(self) -> int:
        """
        The most health checks that run at once; it can be set live.
        """
        return self._maxChecks

    @maxChecks.setter
    def maxChecks(self, most: int) -> None:
        self._maxChecks = int(_SETTINGS["maxChecks"].kind.check(most, "maxChecks"))
        if self._engine is not None:
            self._engine.heartbeat.maxChecks = most

    @property
    def connections(self) -> int:
        """
        The number of connections, those of runs that are being stopped included.
        """
        return sum(each.connectionLimit.active for each in self._engines())

    @property
    def connectionLimit(self) -> int | None:
        """
        The most connections at once that the limit of descriptors allows; L{None} if the
        balancer does not run.
        """
        engine = self._engine
        return None if engine is None or not engine.started else engine.connectionLimit.capacity

    # Listeners

    def getProxyNames(self) -> list[str]:
        """
        Return the names of the listeners: a service's own, or with C{-1}, C{-2} and so
        on appended if it has several.
        """
        return [str(listener.name) for listener in self._listeners()]

    def getProxyService(self, proxyName: str) -> ProxyListener:
        """
        Return the listener of a name.

        @raise UnknownName: there is none.
        @raise SeveralListeners: it is the name of a service that has several.
        """
        several = []
        for listener in self._listeners():
            if listener.name == proxyName:
                return listener
            if listener.serviceName == proxyName:
                several.append(str(listener.name))
        if several:
            raise SeveralListeners(proxyName, several)
        raise UnknownName("listener", proxyName, self.getProxyNames())

    def _listeners(self) -> Iterator[ProxyListener]:
        for child in self.proxies:
            if isinstance(child, ProxyListener):
                yield child

    def switchPort(self, proxyName: str, newPort: int | str) -> tuple[Address, ...]:
        """
        Listen on another address, live. The balancer listens on the new address before
        it closes the old one; clients in the old backlog are still served, and open
        connections go on.

        @param proxyName: the name of the listener.
        @param newPort: a port of the same interface, or an address such as
            C{127.0.0.1:10080}.
        @return: the addresses on which it listens now.
        @raise UnknownName: there is no such listener.
        @raise AddressError: it is no address to listen on.
        @raise ListenError: the balancer can't listen on it. Then nothing has changed.
        """
        listener = self.getProxyService(proxyName)
        now = listener.configuredAddress
        if isinstance(now, InheritedAddress) and listener.addresses:
            now = listener.addresses[0]
        return listener.moveTo(_elsewhere(now, newPort))

    def setCheck(
        self,
        serviceName: str,
        groupName: str,
        check: CheckLike,
        proxiedName: str | None = None,
        **settings: Any,
    ) -> tuple[Event, ...]:
        """
        Check the hosts of a group in another way, live::

            services.setCheck('web', 'servers', 'http', path='/health', interval=1)
            services.setCheck('web', 'servers', isWell, timeout=0.5)
            services.setCheck('web', 'servers', None)

        @param check: the word of a kind of check, or a function that is called
            with a L{txlb.health.Target} and returns whether the host is well (or
            a pair of that and the reason, or a Deferred of either), or a
            L{HealthCheck}; L{None} for no check.
        @param proxiedName: only this host.
        @param settings: those of a L{HealthCheck} and the options of its kind.
        @return: the events that it caused.
        @raise UnknownName: there is no such service, group, host, kind of check
            or setting.
        @raise ModelError: a setting breaks a rule. Then nothing has changed.
        """
        made = healthCheckFrom(check, settings)
        if made is not None:
            made = self.health.verified(made)
        return self.manager.setCheck(serviceName, groupName, made, proxiedName)

    def discover(
        self, serviceName: str, groupName: str, source: Discovery | str | None, **options: Any
    ) -> tuple[Event, ...]:
        """
        Let a source find hosts for a group, live, beside those that people give it::

            services.discover('web', 'servers', 'file', path='hosts.json')
            services.discover('web', 'servers', None)

        @param source: the word for a kind of source, or a L{txlb.model.Discovery}; L{None}
            for none any more: then the hosts that it has found are removed.
        @param options: C{maxRemove}, and the settings of the kind.
        @return: the events that it caused.
        @raise UnknownName: there is no such service or group.
        @raise ModelError: there is no such kind, or a setting breaks a rule. Then nothing has
            changed.
        """
        made = discoveryFrom(source, options)
        self.manager.getGroup(serviceName, groupName)
        self.discovery.verify((serviceName, groupName), made)
        return self.manager.discover(serviceName, groupName, made)

    def setScheduler(
        self, serviceName: str, groupName: str, lbType: str, **settings: Any
    ) -> Deferred[tuple[Event, ...]]:
        """
        Let a group choose by another policy, live. A policy gets thousands of hosts in
        slices, between which clients are served; see L{applyInSlices}. Otherwise this does
        the same as L{txlb.manager.ProxyManager.setScheduler}, before it returns.

        @return: fires with the events that it caused, and fails as these do.
        """
        return Deferred.fromCoroutine(self._setScheduler(serviceName, groupName, lbType, settings))

    async def _setScheduler(
        self, serviceName: str, groupName: str, lbType: str, settings: dict[str, Any]
    ) -> tuple[Event, ...]:
        manager = self.manager
        if len(manager.getGroup(serviceName, groupName).hosts) <= HOSTS_AT_ONCE:
            return manager.setScheduler(serviceName, groupName, lbType, **settings)
        wanted = manager.withScheduler(serviceName, groupName, lbType, **settings)
        return await self.applyInSlices(wanted)

    # Changing everything

    def plan(
        self, source: str | Configuration | Iterable[HostMapper | ProxyService] | None = None
    ) -> Deferred[Plan]:
        """
        Compute the changes that L{reload}, or L{apply} of other services, would make. Clients
        are served meanwhile.

        @param source: a configuration file, or what one says, or services; by
            default the balancer's own file.
        @return: fires with the plan. It fails with L{txlb.errors.ConfigurationError} if
            something is wrong with the file; with L{txlb.errors.ConfigurationConflict} if
            it contradicts what was changed live; with L{ModelError} if something of the
            services breaks a rule; with L{TxlbError} if the balancer has no file.
        """
        return Deferred.fromCoroutine(self._plan(source))

    async def _plan(
        self, source: str | Configuration | Iterable[HostMapper | ProxyService] | None
    ) -> Plan:
        if source is not None and not isinstance(source, (str, Configuration)):
            return self.manager.plan(source)
        if self.configuration is not None:
            return await self.configuration.plan(source)
        if source is None:
            raise TxlbError(_NO_FILE)
        if isinstance(source, str):
            source = await self.slices.inThread(loadConfiguration, source)
        return self.manager.plan(source.services)

    def reload(self, *, discard: bool = False) -> Deferred[Plan]:
        """
        Load the configuration file again: see L{ConfigurationFile.reload}.

        @return: fires and fails as that does; fails with L{TxlbError} if the balancer has
            no file.
        """
        if self.configuration is None:
            return fail(TxlbError(_NO_FILE))
        return self.configuration.reload(discard=discard)

    def apply(self, services: Iterable[HostMapper | ProxyService]) -> tuple[Event, ...]:
        """
        Make these the services, live, by the smallest set of changes: see
        L{txlb.manager.ProxyManager.apply}. The balancer listens on new addresses before
        it changes anything. An address that stays loses no client, even if it belongs
        to another service now, and clients in the backlog of one that goes are still
        served.

        All of it is done before it returns, and no client is served meanwhile: about
        0.1 ms for each host that is added, changed or removed. For thousands of hosts
        use L{applyInSlices}.

        @return: the events that it caused; none if nothing differs.
        @raise txlb.errors.ChangeUnderWay: a change in slices is under way. Nothing was
            changed then.
        @raise ModelError: a service breaks a rule, or needs something that is not
            available here.
        @raise ListenError: the balancer can't listen on an address. After this and
            every other error all is as it was.
        """
        return self._applier.apply(services)

    def applyInSlices(
        self, services: Iterable[HostMapper | ProxyService]
    ) -> Deferred[tuple[Event, ...]]:
        """
        Do the same as L{apply} in slices of some milliseconds, between which clients are
        served. The services, the pools and the events agree after each slice, and until the
        last one every other change of services is refused with
        L{txlb.errors.ChangeUnderWay}.

        Everything that can fail is tried before the first slice: then nothing is changed.

        @return: fires with the events that it caused. It fails with L{ModelError} and
            L{ListenError} as L{apply} does; with L{txlb.errors.ChangeUnderWay} if another
            change is under way; with L{txlb.errors.ChangeStopped} if the balancer is stopped
            meanwhile, and then it has the services that the last slice made.
        """
        return self._applier.applyInSlices(services)

    def verify(self, services: Iterable[ProxyService]) -> None:
        """
        Check that everything that services need can be had here: kinds of checks, sources, files
        of certificates.

        @raise ModelError: something can't be had.
        """
        self._applier.verify(services)

    # Upgrades

    def hold(self) -> Callable[[], None]:
        """
        Refuse changes of the services from now on, as a successor takes over what they are now.

        @return: ends that, if the upgrade has failed.
        @raise ChangeUnderWay: a change is under way.
        """
        self.manager.refuseIfUnderWay()
        return self.manager.hold("an upgrade is under way")

    def handedChanges(self) -> Deferred[dict[str, object]]:
        """
        Find the live changes that are not in the configuration file, for a successor, which takes
        them over by L{txlb.application.withChanges}.

        @return: fires with plain values; they are empty if nothing was changed. It fails with
            L{TxlbError} if a file can't say what was changed.
        """
        if self.configuration is not None:
            return self.configuration.handedChanges()
        if self._embedded is None:
            return succeed({})
        return self._embedded.handedChanges()

    def keep(self, keeper: IKeptState) -> Callable[[], None]:
        """
        Hand one more part of the state to the successor of an upgrade.

        @return: ends it.
        @raise DuplicateName: another part has its name.
        """
        return self._keepers.keep(keeper)

    def keptState(self) -> dict[str, object]:
        """
        Return what is true now and what a successor takes over: a plain value for each part, by
        name. With thousands of hosts it takes long; L{keptAhead} and L{keptRest} are quicker.
        """
        return self._keepers.state()

    def keptAhead(self) -> Iterator[dict[str, object]]:
        """
        Begin anew, and yield the large parts of the state in pieces, each of which takes a few
        milliseconds. The balancer serves between them.
        """
        return self._keepers.ahead()

    def keptRest(self) -> dict[str, object]:
        """
        Return all parts of the state, of the large ones what has changed since L{keptAhead}. The
        balancer does nothing else meanwhile.
        """
        return self._keepers.rest()

    def restoreState(self, states: object) -> None:
        """
        Take over what L{keptState}, L{keptAhead} or L{keptRest} of another process has returned,
        before anything is served. It may be called several times, for the pieces in their order.
        Parts that are unknown or missing have no effect.

        Connections that move claim their hosts again by L{txlb.pool.HostPool.readopt}. If the last
        call comes after that, hosts with equally many connections have their old order too.

        @raise txlb.errors.StateError: a part can't be right. That part and those after it have
            changed nothing.
        """
        self._keepers.restore(states)

    def restored(self) -> None:
        """
        Go on with what was restored, after the last L{restoreState} and when all connections that
        move have claimed their hosts: clients that wait may get a host, and hosts that are gone
        are told of.
        """
        self.manager.restored()

    # Life

    def bind(self) -> None:
        """
        Listen on every address, without accepting yet. Starting the service does this
        if it has not been done.

        @raise ListenError: the balancer can't listen on one. Then none is listened on.
        """
        try:
            for listener in self._listeners():
                listener.bind()
        except BaseException:
            for listener in self._listeners():
                listener.unbind()
            raise

    def prepare(self) -> None:
        """
        Pick up the reactor and make the parts of a run, before any address is listened
        on. L{bind} and L{privilegedStartService} do this if it has not been done.

        @raise ModelError: something can't be had as it is configured.
        """
        self.engine  # noqa: B018 - it is made when it is first asked for
        self.cluster.prepare()

    @property
    def engine(self) -> Engine:
        """
        The parts of this run; made when they are first needed.
        """
        if self._engine is None:
            self._reactor = pickedReactor(self._reactor)
            self._embed(successorOnly=True)
            inMemory = self._inMemory
            if inMemory is None:
                inMemory = not opensSockets(self._reactor)
            if inMemory and not hasattr(self._reactor, "listenTCP"):
                raise ModelError(
                    f"{shown(self._reactor)} is no reactor that can listen; for tests take "
                    "MemoryReactorClock of twisted.internet.testing, or txlb.testing"
                )
            self._engine = Engine(
                self.manager,
                self._reactor,
                self._record,
                maxChecks=self._maxChecks,
                inMemory=inMemory,
                tls=self.tls,
            )
            self._engine.readiness.follow(self._acceptOrNot)
            self._engine.socketsAt = self._socketsAt
            self.manager.onChange = self._engine.changing
        return self._engine

    def _socketsAt(self, address: ListenAddress) -> Sequence[socket.socket]:
        if self._predecessorHas:
            return self.socketsTaken(address)
        return self.clones.socketsAt(address)

    @property
    def _predecessorHas(self) -> bool:
        """
        Whether another process of the balancer may have sockets for this one.
        """
        return self.socketsTaken is not _noSockets

    def socketsFor(self, address: ListenAddress) -> Sequence[socket.socket]:
        """
        Take the sockets that listen at a door's address already, because a predecessor had them.

        @return: none if there are none.
        """
        self._embed(successorOnly=True)
        return self.socketsTaken(address)

    def addDoor(self, door: Door) -> None:
        """
        Let the listener of a service for administrators move in upgrades.
        """
        self.doors.append(door)

    def whenServing(self, call: Callable[[], object]) -> None:
        """
        Call a function when this process serves: now, unless it takes over from another one.
        """
        if self._takesOver:
            self._whenServing.append(call)
        else:
            call()

    def _embed(self, successorOnly: bool = False) -> None:
        """
        Find the part for upgrades, unless the process has set it.

        @param successorOnly: only if this process takes over from another one.
        """
        if self.upgrader is not None or (successorOnly and not EmbeddedUpgrading.isSuccessor()):
            return
        reactor = self._reactor = pickedReactor(self._reactor)
        if not self._inMemory and EmbeddedUpgrading.isPossible(reactor):
            self._embedded = self.upgrader = EmbeddedUpgrading(self, reactor)
            self._takesOver = self._embedded.begin()

    def _acceptOrNot(self) -> None:
        for listener in self._listeners():
            listener.acceptOrNot()

    def privilegedStartService(self) -> None:
        """
        Listen.

        @raise ListenError: an address can't be had.
        """
        self.cluster.remember()
        try:
            self._embed(successorOnly=True)
            if self._embedded is not None:
                self._embedded.takeChanges()
            self.bind()
            super().privilegedStartService()
        except TxlbError as error:
            if self._embedded is not None:
                self._embedded.decline(str(error))
            raise

    def startService(self) -> None:
        """
        Accept. A service whose hosts all have names that were not looked up yet
        accepts when one has an address; until then clients wait in the backlog,
        but for no more than five seconds.

        @raise ListenError: an address can't be had.
        """
        self._embed()
        if self._takesOver:
            self.startTakingOver()
        else:
            self.bind()
            self.engine.start()
            self.manager.onCut = self._cut
            super().startService()
        if self._embedded is not None:
            self._embedded.start(self._servesNow)

    def _servesNow(self) -> None:
        """
        Serve, as the process before does not any more.
        """
        self._takesOver = False
        self.tookOver()
        waiting, self._whenServing = self._whenServing, []
        for call in waiting:
            call()

    def startTakingOver(self) -> None:
        """
        Start, while another process still has the connections: nothing is accepted, relayed or
        checked before L{tookOver}.

        @raise ListenError: an address can't be had.
        """
        self.bind()
        self.engine.start(runs=False)
        self.manager.onCut = self._cut
        Service.startService(self)

    def tookOver(self) -> None:
        """
        Serve, as all connections are here. The checks of hosts begin a little later, after
        clients were served.
        """
        self.engine.run()
        self.proxies.startService()
        for child in self:
            if child is not self.proxies:
                self._reactor.callLater(0, self._startLate, child)

    def _startLate(self, child: Any) -> None:
        if self.running and not child.running:
            child.startService()

    # Upgrades

    def upgrade(self) -> Deferred[Upgraded]:
        """
        Let another process of the same command line take over listeners and connections: new
        code, and the file as it is now. This process ends then.

        @return: fires when the other process serves. It fails with L{TxlbError} if this process
            can't be upgraded, or the other one does not start; this one goes on then.
        """
        return fail(TxlbError(_NO_UPGRADER)) if self.upgrader is None else self.upgrader.upgrade()

    def checkUpgrade(self) -> UpgradeCheck:
        """
        Tell what would move by L{upgrade} now, and what could not.

        @raise TxlbError: this process can't be upgraded.
        """
        if self.upgrader is None:
            raise TxlbError(_NO_UPGRADER)
        return self.upgrader.check()

    def listening(self) -> list[tuple[str, Sequence[socket.socket]]]:
        """
        List the listeners with sockets of their own: the address, as it is configured, and the
        sockets. Those from systemd are not in it.
        """
        found: dict[int, tuple[str, Sequence[socket.socket]]] = {}
        for each in self._listeners():
            share = each.listener
            if share is not None and not isinstance(each.configuredAddress, InheritedAddress):
                found[id(share.shared)] = (str(each.configuredAddress), share.sockets)
        return list(found.values())

    def letGo(self, addresses: Collection[str]) -> None:
        """
        Stop listening, as another process does.

        @param addresses: those where the other process accepts from the same sockets. At the
            other ones clients in the backlog are accepted here before.
        """
        for each in self._listeners():
            address = each.configuredAddress
            if isinstance(address, InheritedAddress) or str(address) in addresses:
                each.letGo()
            else:
                each.unbind()

    def stopService(self) -> Deferred[None]:
        """
        Stop accepting at once, and let open connections end.

        @return: fires with L{None} when all connections are gone: those that
            don't end within the grace time are reset. It does not fail.
        """
        if self._embedded is not None:
            self._embedded.stop()
        if self.configuration is not None:
            self.configuration.stop()
        settle = self._applier.stop()
        for each in self._listeners():
            if each.listener is not None:
                each.listener.turnAway()
        stopped: Deferred[Any] = super().stopService()
        settle()
        engine, self._engine = self._engine, None
        if engine is None:
            return succeed(None)
        self.manager.onChange = None
        self._stopping.append(engine)
        ended = engine.stop(self.graceTime).addCallback(lambda _: self._stopped(engine))
        return gatherResults([ended, stopped]).addCallback(lambda _: None)

    def _stopped(self, engine: Engine) -> None:
        self._stopping.remove(engine)
        if not self._engines():
            self.manager.onCut = None

    def getClientAddress(
        self, host: str, port: int, serverHost: str | None = None, serverPort: int | None = None
    ) -> tuple[str, int]:
        """
        Return the client behind a connection that a host has accepted from this
        balancer.

        @param host: the address of the connection's peer, as the host sees it.
        @param port: the port.
        @param serverHost: the address at which the host has accepted it. Connections to
            several hosts may come from the same port, and then this tells them apart.
        @param serverPort: the port, likewise.
        @return: the client's address and port; for a client of a UNIX socket that
            socket's address, and 0.
        @raise UnknownConnection: there is no such connection, or more than one.
        """
        unknown = UnknownConnection("the balancer does not run")
        for engine in self._engines():
            try:
                return _hostAndPort(engine.clientOf(host, port, serverHost, serverPort))
            except UnknownConnection as error:
                unknown = error
        raise unknown

    def abortConnections(self) -> None:
        """
        Reset every connection, those of a run that is being stopped as well.
        """
        for engine in self._engines():
            engine.abortAll()


def _noSockets(_address: ListenAddress) -> Sequence[socket.socket]:
    """
    Find no sockets: this process has no predecessor.
    """
    return ()


def _hostAndPort(clientAddr: object) -> tuple[str, int]:
    if isinstance(clientAddr, tuple):
        return str(clientAddr[0]), int(clientAddr[1])
    return str(clientAddr), 0


def _elsewhere(now: ListenAddress, to: int | str) -> ListenAddress:
    """
    Return the address for a port alone, or for a whole address.
    """
    if isinstance(to, str) and _WORD.match(to) and not to.isdecimal():
        raise AddressError(
            f"{shown(to)} is neither a port nor an address; write a port, host:port, [::1]:port or "
            "unix:/path"
        )
    if not (isinstance(to, str) and to.isdecimal()) and not _isWhole(to):
        address = parseListenAddress(to)
        if isinstance(now, UNIXAddress) and isinstance(address, UNIXAddress):
            # The socket is made anew, and is the same listener's.
            return replace(now, path=address.path)
        return address
    if not isinstance(now, TCPAddress):
        raise AddressError(f"{now} has no port to change; give a whole address, as in unix:/path")
    # For any number of digits.
    port = int(to[:9]) if isinstance(to, str) else to
    if not 0 <= port <= 65535:
        raise AddressError(f"port {str(to)[:9]} does not exist; ports are 1 to 65535")
    return parseListenAddress((now.host, port))


def _isWhole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
