"""
The way of a connection from the accept to a relay: preface, admission, the search for a host,
and the record at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.logger import Logger

from txlb.connecting._clients import packedClient
from txlb.deadlines import Deadlines, Throttle
from txlb.errors import CertificateError, TxlbError
from txlb.interfaces import IRelay
from txlb.manager import ProxyManager
from txlb.model import CLONES, Address, ListenTLS, ProxyService
from txlb.pool import (
    Attempt,
    DialLimits,
    GaveUp,
    GaveUpReason,
    Host,
    HostPool,
    Lease,
    Outcome,
    RefusalKind,
    Waiting,
)
from txlb.proxy._clientconnection import ClientConnection
from txlb.proxy._connectionlimit import ConnectionLimit
from txlb.proxy._connectiontable import ConnectionTable
from txlb.proxy._handshakes import Handshakes
from txlb.proxy._headers import headerFor
from txlb.proxy._moving import Moving
from txlb.proxy._portablerelay import PortableRelay
from txlb.proxy._prefaces import Entry, Prefaces
from txlb.proxy._relays import Relays
from txlb.proxy._results import ConnectionRecord, Relayed, Timeouts
from txlb.proxy.fast import Loop, whyNotTLS
from txlb.tls import TLSStore
from txlb.tls import settingsOf as tlsSettingsOf
from txlb.wire import Done, Reject

_log = Logger()

_REFUSALS = {
    GaveUpReason.NO_HOST: RefusalKind.NO_HOST,
    GaveUpReason.UNREACHABLE: RefusalKind.UNREACHABLE,
    GaveUpReason.TIMEOUT: RefusalKind.TIMEOUT,
    GaveUpReason.LOCAL: RefusalKind.LOCAL,
    GaveUpReason.FULL: RefusalKind.FULL,
    GaveUpReason.QUEUE_TIMEOUT: RefusalKind.QUEUE_TIMEOUT,
    GaveUpReason.CIRCUIT: RefusalKind.CIRCUIT,
    GaveUpReason.CLIENT_GONE: RefusalKind.CLIENT_GONE,
}

#: The texts for the reasons if no host has failed.
_REASONS = {
    GaveUpReason.FULL: "every host has as many connections as it takes, and the queue is full",
    GaveUpReason.QUEUE_TIMEOUT: "no host had room in time",
    GaveUpReason.CIRCUIT: "too many connections to every host are being opened",
    GaveUpReason.CLIENT_GONE: "the client left while it waited for a host with room",
}

#: The texts for clients that are not admitted, to follow on their address.
_WHY = {
    RefusalKind.DENIED: "is in none of the networks that are allowed",
    RefusalKind.CLIENT_LIMIT: "has as many connections as one client may have",
    RefusalKind.CLIENT_RATE: "connects more often than one client may",
}

#: Connections in their preface at one address that several services share, at most. Each can
#: have as many bytes as the preface takes.
MOST_PREFACES = 10_000

Recorder = Callable[[ConnectionRecord], object]


class Frontend:
    """
    The entry of one service: it admits connections, has their prefaces read, looks for a
    host, and gives them to a relay. Owned by its
    L{txlb.application.service.LoadBalancedService}.

    @param serviceName: the name of the service, which the manager has.
    @param connectionLimit: all connections of the balancer.
    @param loop: where the fast relay runs; L{None} if it can't be used.
    @param table: the table of connections, which all relays of a balancer share.
    @param makeEndpoint: makes the endpoints by which the portable relay connects; by
        default its own.
    @param tls: has the contexts for TLS; by default one of its own.

    @ivar relays: the relays of the service.
    @ivar moving: moves the connections of the service from one process to another.
    @ivar record: is called with the record of each connection that has ended;
        L{None} for no records.
    @ivar frontendOf: finds the frontend of another service by its name.
    @ivar passOn: takes a connection that is admitted and goes to a pool with clones, which it may
        pass to one of them; it returns whether it has. L{None} if the service has no clones.
    """

    def __init__(
        self,
        serviceName: str,
        manager: ProxyManager,
        reactor: Any,
        deadlines: Deadlines,
        connectionLimit: ConnectionLimit,
        loop: Loop | None = None,
        table: ConnectionTable | None = None,
        makeEndpoint: Callable[[Any, Address], IStreamClientEndpoint] | None = None,
        tls: TLSStore | None = None,
    ) -> None:
        self.serviceName = serviceName
        self.record: Recorder | None = None
        self.passOn: Callable[[ClientConnection, HostPool], bool] | None = None
        self._manager = manager
        self._reactor = reactor
        self._deadlines = deadlines
        self._connectionLimit = connectionLimit
        self._counters = manager.getCounters(serviceName)
        self._admission = manager.getAdmission(serviceName)
        self._admission.census = self._clients
        self._prefaces = Prefaces(reactor, deadlines)
        self._throttles = {
            kind: Throttle(deadlines, partial(self._say, kind)) for kind in RefusalKind
        }
        self._closed = False
        self.frontendOf: Callable[[str], Frontend | None] = _noOther
        self._tls = TLSStore() if tls is None else tls
        self.relays = Relays(reactor, deadlines, self.relayed, table, makeEndpoint, self._tls)
        self._handshakes = Handshakes(deadlines, self._secured, self._notSecured)
        self.moving = Moving(
            serviceName,
            manager,
            connectionLimit,
            self._counters,
            self._admission,
            self.relays,
            lambda: self._limits,
            self.relayed,
        )
        self.configure(loop)
        self._follow()

    def configure(self, loop: Loop | None) -> None:
        """
        Serve new connections as the service is configured now.

        @param loop: where the fast relay runs; L{None} if it can't be used.
        """
        service = self._service
        self._limits = DialLimits(service.connectTimeout, service.dialTimeout, service.retries)
        if service.relay == PortableRelay.name:
            loop = None
        elif loop is not None and any(tlsSettingsOf([service])) and whyNotTLS() is not None:
            # The portable relay has TLS by other calls.
            loop = None
        self._prefaces.reactor = self._reactor if loop is None else loop
        self.relays.configure(loop, Timeouts(service.idleTimeout, service.finTimeout))

    @property
    def relay(self) -> IRelay:
        """
        The usual relay of the service.
        """
        return self.relays.usual

    def close(self) -> None:
        """
        Serve no new client, as the service is no longer there.
        """
        self._closed = True
        # The next connection finds that the revision has changed, and looks.
        self._revision = -1
        self._prefaces.stop(shared=False)
        self.sayRefusals()

    def connectionCount(self) -> int:
        """
        Count the connections, those in their preface or their TLS handshake included.
        """
        return self.relays.connectionCount() + self.beginning

    @property
    def beginning(self) -> int:
        """
        The number of connections in their preface or their TLS handshake.
        """
        return len(self._prefaces) + len(self._handshakes)

    def leaveHost(self, host: Host, outcome: Outcome) -> None:
        """
        Reset the connections that a host has, in all relays. See L{IRelay.leaveHost}.
        """
        self.relays.leaveHost(host, outcome)

    def trackConnections(self) -> None:
        """
        Track the connections of all relays. See L{IRelay.trackConnections}.
        """
        self.relays.trackConnections()

    @property
    def _service(self) -> ProxyService:
        return self._manager.getService(self.serviceName)

    def _follow(self) -> None:
        """
        Remember the values of the manager that each connection needs.
        """
        manager = self._manager
        self._revision = manager.revision
        self._maxConnections = self._service.maxConnections
        self._pool: HostPool = manager.getPool(self.serviceName)

    def accepted(self, client: ClientConnection) -> None:
        """
        Take a connection that a listener has accepted.

        @param client: the connection. Its socket belongs to the frontend from here, even if
            this raises.
        """
        connectionLimit, counters = self._connectionLimit, self._counters
        if self._revision != self._manager.revision:
            if self._closed:
                # It was in the backlog of a listener that is being closed.
                client.close()
                return
            self._follow()
        if connectionLimit.active >= connectionLimit.capacity:
            self._refuse(
                client, RefusalKind.DESCRIPTORS, f"{connectionLimit.active} are all there can be"
            )
        elif counters.active >= self._maxConnections:
            self._refuse(client, RefusalKind.LIMIT, f"it has {counters.active} connections")
        else:
            if self._admission.active and not self._admits(client):
                return
            counters.active += 1
            connectionLimit.active += 1
            self._dial(client, self._pool)

    def acceptedFor(self, lease: Lease, client: ClientConnection) -> None:
        """
        Take a connection whose host is chosen already, by the manager of clones beside that
        host. If the host can't be reached, others of its group are tried that are no clones.

        @param lease: the claim on the host, which is the frontend's from here.
        @param client: the connection. Its socket belongs to the frontend from here, even if
            this raises.
        """
        limit, counters = self._connectionLimit, self._counters
        if self._closed:
            lease.release(Outcome.NOT_CONNECTED)
            client.close()
            return
        if self._revision != self._manager.revision:
            self._follow()
        if limit.active >= limit.capacity or counters.active >= self._maxConnections:
            lease.release(Outcome.NOT_CONNECTED)
            kind = RefusalKind.DESCRIPTORS if limit.active >= limit.capacity else RefusalKind.LIMIT
            self._refuse(client, kind, f"there are {counters.active} connections")
            return
        counters.active += 1
        counters.accepted += 1
        limit.active += 1
        pool = self._manager.getPool(self.serviceName, lease.host.key[1])
        clones = frozenset(each.key for each in pool.hosts if each.configured.origin == CLONES)
        dial = pool.dial(client.clientAddr, self._limits)
        self._give(client, dial.startWith(lease, clones), pool)

    def acceptedAt(self, entry: Entry, client: ClientConnection) -> None:
        """
        Take a connection of a listener whose connections have a preface.

        @param entry: makes the preface, and decides where the connection goes.
        @param client: the connection. Its socket belongs to the frontend from here, even if
            this raises.
        """
        limit = self._connectionLimit
        if self._closed:
            client.close()
            return
        if self._revision != self._manager.revision:
            self._follow()
        if limit.active >= limit.capacity:
            self._refuse(client, RefusalKind.DESCRIPTORS, f"{limit.active} are all there can be")
            return
        # Of several services each has its own limit, which counts when the preface is read.
        active = len(self._prefaces) if entry.isShared else self._counters.active
        if active >= (MOST_PREFACES if entry.isShared else self._maxConnections):
            self._refuse(client, RefusalKind.LIMIT, f"it has {active} connections")
        else:
            self._read(client, entry)

    def _admits(self, client: ClientConnection) -> bool:
        """
        Say whether a client is admitted. One that is not is closed.
        """
        clientAddr = client.clientAddr
        refusal = self._admission.admit(packedClient(clientAddr), self._deadlines.seconds())
        if refusal is None:
            return True
        self._refuse(client, refusal, f"{_text(clientAddr)} {_WHY[refusal]}")
        return False

    def _clients(self) -> list[bytes | None]:
        there = (*self.relays.clientAddrs(), *self._handshakes.clientAddrs())
        return [packedClient(clientAddr) for clientAddr in there]

    def _read(self, client: ClientConnection, entry: Entry) -> None:
        """
        Read the preface of a connection, then decide where it goes.
        """
        assert client.accepted is None  # noqa: S101 - listeners of the reactor have no prefaces

        def verdict(answer: Done | Reject) -> None:
            if isinstance(answer, Reject):
                self._leaves(client, entry, answer)
            else:
                client.found = answer
                self._send(client, entry)

        if not entry.isShared:
            self._counters.active += 1
        self._connectionLimit.active += 1
        try:
            answer = self._prefaces.read(client, entry, verdict)
        except BaseException:
            client.close()
            self._forget(entry)
            raise
        if answer is not None:
            verdict(answer)

    def _send(self, client: ClientConnection, entry: Entry) -> None:
        """
        Send a connection whose preface is read to its service and group.
        """
        found = self._destinationOf(client, entry)
        if isinstance(found, Reject):
            self._leaves(client, entry, found)
            return
        frontend, pool = found
        if entry.isShared:
            frontend.sent(client, pool)
        elif frontend is not self:
            # The balancer as a whole keeps it.
            self._counters.active -= 1
            frontend.sent(client, pool)
        elif not self._admission.active or self._admits(client):
            self._dial(client, pool)
        else:
            self._left()

    def _destinationOf(
        self, client: ClientConnection, entry: Entry
    ) -> tuple[Frontend, HostPool] | Reject:
        """
        Find the frontend and the hosts for a connection whose preface is read.
        """
        try:
            wanted = entry.route(client)
            if isinstance(wanted, Reject):
                return wanted
            name = wanted.service or self.serviceName
            if wanted.group is None and name == self.serviceName and not self._closed:
                # As with most, and the manager need not be asked.
                if self._revision != self._manager.revision:
                    self._follow()
                return self, self._pool
            pool = self._manager.getPool(name, wanted.group)
        except TxlbError as error:
            return Reject(str(error))
        except Exception:  # noqa: BLE001 - a router of a user may raise anything
            _log.failure("the destination of a connection could not be decided")
            return Reject("its destination could not be decided")
        frontend = self if name == self.serviceName else self.frontendOf(name)
        return (frontend, pool) if frontend is not None else Reject(f"{name} takes no connection")

    def sent(self, client: ClientConnection, pool: HostPool) -> None:
        """
        Take a connection whose preface another frontend has read. The balancer as a whole
        counts it already.

        @param client: the connection. Its socket belongs to this frontend from here.
        @param pool: the hosts of the group that it goes to.
        """
        counters = self._counters
        if self._closed:
            self._connectionLimit.remove()
            client.close()
            return
        if self._revision != self._manager.revision:
            self._follow()
        if counters.active >= self._maxConnections:
            self._connectionLimit.remove()
            self._refuse(client, RefusalKind.LIMIT, f"it has {counters.active} connections")
        elif not self._admission.active or self._admits(client):
            counters.active += 1
            self._dial(client, pool)
        else:
            self._connectionLimit.remove()

    def _dial(self, client: ClientConnection, pool: HostPool, shaken: bool = False) -> None:
        """
        Look for a host, and give the client to a relay. If TLS ends at the listener the
        handshake comes first. Each connection that is admitted comes here, at the service that
        it goes to.

        @param shaken: whether it was here already, and its handshake is done.
        """
        if not shaken:
            settings = client.listener.tls
            if settings is None and self.passOn is not None and self.passOn(client, pool):
                # It is the clones' from here, and counts there.
                self._left()
                return
            self._counters.accepted += 1
            if settings is not None:
                self._secure(client, pool, settings)
                return
        dial = pool.dial(client.clientAddr, self._limits)
        try:
            step = dial.start()
        except Exception:
            # A fault of the pool costs this client its connection, and nothing stays counted.
            client.close()
            self._left()
            raise
        if isinstance(step, GaveUp):
            client.close()
            self.relayed(Relayed(dial, gaveUp=step))
        elif client.found is None and pool.settings.sendProxy is None:
            # Nothing goes before the client's bytes, as with most, and a call is saved.
            self.relays.of(client).start(client, step)
        else:
            self._give(client, step, pool)

    def _secure(self, client: ClientConnection, pool: HostPool, settings: ListenTLS) -> None:
        """
        Begin the TLS handshake of a client.
        """
        reason = self._handshakes.hasRoom(client, settings)
        if reason is not None:
            self._leavesUnheard(client, reason)
            client.close()
            return
        try:
            contexts = self._tls.serverContexts(settings)
        except CertificateError as error:
            # The files were right when the service was configured.
            self._leavesUnheard(client, str(error))
            client.close()
            return
        # A group that is enabled meanwhile gets the client.
        token = None if pool is self._pool else pool
        begin = partial(self.relays.handshake, client, contexts)
        self._handshakes.add(client, settings, begin, token)

    def _secured(self, client: ClientConnection, token: object) -> None:
        """
        Go on with a client whose TLS handshake is done.
        """
        if isinstance(token, HostPool):
            self._dial(client, token, shaken=True)
            return
        if self._closed:
            client.close()
            self._leavesUnheard(client, "its service is gone")
            return
        if self._revision != self._manager.revision:
            self._follow()
        self._dial(client, self._pool, shaken=True)

    def _notSecured(self, client: ClientConnection, reason: str) -> None:
        """
        Count a client whose TLS handshake has failed. Its connection is closed.
        """
        self._leavesUnheard(client, f"{_text(client.clientAddr)}: {reason}")

    def _leavesUnheard(self, client: ClientConnection, detail: str) -> None:
        """
        Count a client that is admitted and gets no host for the sake of TLS.
        """
        self._left()
        if self._admission.counting:
            self._admission.left(packedClient(client.clientAddr))
        self._count(RefusalKind.TLS, detail)

    def _give(self, client: ClientConnection, step: Attempt | Waiting, pool: HostPool) -> None:
        """
        Give a client to a relay.
        """
        found = client.found
        # If TLS ends here it was given the bytes behind the preface.
        toHost = b"" if found is None or client.listener.tls is not None else found.leftover
        settings = pool.settings
        header = b"" if settings.sendProxy is None else headerFor(client, settings)
        self.relays.of(client).start(client, step, toHost, header=header)

    def relayed(self, result: Relayed) -> None:
        """
        Count and record a connection that is over. The relays call it, once for each.
        """
        self._counters.active -= 1
        self._connectionLimit.remove()
        if self._admission.counting:
            self._admission.left(packedClient(result.dial.clientAddr))
        if result.gaveUp is not None:
            self._count(_REFUSALS[result.gaveUp.reason], _whyOf(result.gaveUp))
        if self.record is not None:
            try:
                self.record(self._recordOf(result))
            except Exception:  # noqa: BLE001 - the disk may be full, or a user's function raises
                _log.failure("the record of a connection could not be kept")

    def _left(self) -> None:
        self._counters.active -= 1
        self._connectionLimit.remove()

    def _leaves(self, client: ClientConnection, entry: Entry, rejected: Reject) -> None:
        """
        Refuse a client for its preface.
        """
        self._forget(entry)
        if rejected.answer:
            client.say(rejected.answer)
        self._refuse(client, RefusalKind.PREFACE, rejected.reason)

    def _forget(self, entry: Entry) -> None:
        """
        Count a client no more that has left in its preface.
        """
        if entry.isShared:
            self._connectionLimit.remove()
        else:
            self._left()

    def turnAway(self, client: ClientConnection, detail: str) -> None:
        """
        Close a client for which L{passOn} has no room, and count that.

        @param detail: why, for people.
        """
        self._refuse(client, RefusalKind.FULL, detail)

    def _refuse(self, client: ClientConnection, kind: RefusalKind, detail: str) -> None:
        client.close()
        self._count(kind, detail)

    def _count(self, kind: RefusalKind, detail: str) -> None:
        self._counters.refused[kind] += 1
        self._throttles[kind].happened(detail)

    def _say(self, kind: RefusalKind, times: int, detail: str) -> None:
        _log.warn(
            "{service}: {times} {clients} closed, {kind}: {detail}",
            service=self.serviceName,
            times=times,
            clients="client" if times == 1 else "clients",
            kind=kind.value,
            detail=detail,
        )

    def sayRefusals(self) -> None:
        """
        Log now how many clients were refused and are not logged yet.
        """
        for throttle in self._throttles.values():
            throttle.flush()

    def _recordOf(self, result: Relayed) -> ConnectionRecord:
        dial, lease, gaveUp = result.dial, result.lease, result.gaveUp
        if lease is not None:
            outcome = (lease.outcome or Outcome.ERROR).value
        else:
            outcome = gaveUp.reason.value if gaveUp is not None else Outcome.STOPPED.value
        return ConnectionRecord(
            client=_text(dial.clientAddr),
            service=self.serviceName,
            group=dial.pool.group,
            host=None if lease is None else lease.host.name,
            connectTime=dial.connectTime,
            totalTime=self._deadlines.seconds() - dial.began,
            bytesIn=0 if lease is None else lease.bytesIn,
            bytesOut=0 if lease is None else lease.bytesOut,
            outcome=outcome,
            tries=dial.tries,
            active=self._connectionLimit.active,
            serviceActive=self._counters.active,
            groupActive=dial.pool.active,
            hostActive=0 if lease is None else lease.host.active,
        )

    def abortAll(self) -> None:
        """
        Reset every connection of the service.
        """
        self._prefaces.stop(shared=True)
        self._handshakes.abandonAll()
        self.relays.abortAll()


def _whyOf(gaveUp: GaveUp) -> str:
    """
    Say for people why a search found no host.
    """
    failure = gaveUp.failure
    if gaveUp.reason is GaveUpReason.LOCAL and failure is not None:
        return f"{failure.detail}; this machine is at fault, so no host was marked down"
    if gaveUp.reason in _REASONS:
        return _REASONS[gaveUp.reason]
    return "no host is ready" if failure is None else failure.detail


def _noOther(name: str) -> None:
    """
    Find no frontend: this one has no others beside it.
    """


def _text(clientAddr: object) -> str:
    if not isinstance(clientAddr, tuple):
        return str(clientAddr)
    host, port = clientAddr
    if not port:
        return str(host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
