"""
The way of a service's connections from being accepted to being relayed:
preface, admission, the search for a host, and the record at the end.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.logger import Logger

from txlb.connecting import hostOf
from txlb.deadlines import Deadlines, Throttle
from txlb.interfaces import IPreface, IRelay
from txlb.manager import ProxyManager
from txlb.model import Address, ProxyService, plainHost
from txlb.pool import DialLimits, GaveUp, GaveUpReason, Host, HostPool, Outcome, RefusalKind
from txlb.proxy._accepted import AcceptedClient
from txlb.proxy._clients import packedClient
from txlb.proxy._limits import Tally
from txlb.proxy._origins import Origins
from txlb.proxy._portable import PortableRelay
from txlb.proxy._preface import PrefaceReader
from txlb.proxy._results import ConnectionRecord, Relayed, Timeouts
from txlb.proxy._search import firstStep
from txlb.proxy.fast import FastRelay, Loop
from txlb.wire import Done, Reject, encodeProxyV1, encodeProxyV2

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

#: What to say where no host has failed.
_REASONS = {
    GaveUpReason.FULL: "every host has as many connections as it takes, and nobody more may wait",
    GaveUpReason.QUEUE_TIMEOUT: "no host had room in time",
    GaveUpReason.CIRCUIT: "too many connections to every host are being opened",
    GaveUpReason.CLIENT_GONE: "they left while they waited for a host with room",
}

#: Why a client may not come in, to follow on its address.
_WHY = {
    RefusalKind.DENIED: "is in none of the networks that may come in",
    RefusalKind.CLIENT_LIMIT: "has as many connections as one client may have",
    RefusalKind.CLIENT_RATE: "comes more often than one client may",
}

_ENCODERS = {"v1": encodeProxyV1, "v2": encodeProxyV2}

Recorder = Callable[[ConnectionRecord], object]


class Frontend:
    """
    Where the connections of one service come in. Owned by its
    L{txlb.application.service.LoadBalancedService}.

    @param serviceName: which of the manager's services.
    @param tally: all connections of the balancer.
    @param makePreface: makes what reads the beginning of each connection;
        L{None} where that is the host's.
    @param loop: where the fast relay runs; L{None} where it can't.
    @param origins: where connections note themselves if somebody asks for them.
    @param makeEndpoint: makes the endpoints by which the portable relay connects; by
        default its own.

    @ivar relay: what relays.
    @ivar record: is called with the record of each connection that has ended;
        L{None} for no records.
    """

    def __init__(
        self,
        serviceName: str,
        manager: ProxyManager,
        reactor: Any,
        deadlines: Deadlines,
        tally: Tally,
        makePreface: Callable[[], IPreface] | None = None,
        loop: Loop | None = None,
        origins: Origins | None = None,
        makeEndpoint: Callable[[Any, Address], IStreamClientEndpoint] | None = None,
    ) -> None:
        self.serviceName = serviceName
        self.record: Recorder | None = None
        self._manager = manager
        self._reactor = reactor
        self._deadlines = deadlines
        self._tally = tally
        self._makePreface = makePreface
        self._counters = manager.getCounters(serviceName)
        self._admission = manager.getAdmission(serviceName)
        self._admission.census = self._clients
        self._readers: set[PrefaceReader] = set()
        self._throttles = {
            kind: Throttle(deadlines, partial(self._say, kind)) for kind in RefusalKind
        }
        self._origins = origins
        self._makeEndpoint = makeEndpoint
        self._closed = False
        # One of each kind at most: one that is used no more may have connections.
        self._relays: dict[str, FastRelay | PortableRelay] = {}
        self.relay: IRelay
        self.configure(loop)
        self._follow()

    def configure(self, loop: Loop | None) -> None:
        """
        Serve new connections as the service is configured now.

        @param loop: where the fast relay runs; L{None} where it can't.
        """
        service = self._service
        self._limits = DialLimits(service.connectTimeout, service.dialTimeout, service.retries)
        timeouts = Timeouts(service.idleTimeout, service.finTimeout)
        # The connections of a relay that is used no more go by these as well.
        for each in self._relays.values():
            each.timeouts = timeouts
        if service.relay == PortableRelay.name:
            loop = None
        relay = self._relays.get(PortableRelay.name if loop is None else FastRelay.name)
        if relay is None:
            relay = self._newRelay(loop, timeouts)
        self.relay = self._relays[relay.name] = relay

    def _newRelay(self, loop: Loop | None, timeouts: Timeouts) -> FastRelay | PortableRelay:
        if loop is not None:
            return FastRelay(loop, timeouts, self._relayed, self._origins)
        relay = PortableRelay(
            self._reactor, self._deadlines, timeouts, self._relayed, self._origins
        )
        if self._makeEndpoint is not None:
            relay.makeEndpoint = self._makeEndpoint
        return relay

    def close(self) -> None:
        """
        The service is no longer there: nobody new is served.
        """
        self._closed = True
        # Whoever comes now finds that something is new.
        self._revision = -1
        for reader in tuple(self._readers):
            reader.stop()
        self.sayRefusals()

    def connectionCount(self) -> int:
        """
        How many connections it has.
        """
        return sum(each.connectionCount() for each in self._allRelays()) + len(self._readers)

    def _allRelays(self) -> list[IRelay]:
        """
        The relay of new connections, and one that may have older ones.
        """
        relays: dict[int, IRelay] = {id(each): each for each in self._relays.values()}
        relays[id(self.relay)] = self.relay
        return list(relays.values())

    def leaveHost(self, host: Host, outcome: Outcome) -> None:
        """
        Reset the connections that a host has, whichever relay moves their bytes.
        See L{IRelay.leaveHost}.
        """
        for relay in self._allRelays():
            relay.leaveHost(host, outcome)

    def noteOrigins(self) -> None:
        """
        Note all connections to hosts, whichever relay has them. See
        L{IRelay.noteOrigins}.
        """
        for relay in self._allRelays():
            relay.noteOrigins()

    @property
    def _service(self) -> ProxyService:
        return self._manager.getService(self.serviceName)

    def _follow(self) -> None:
        """
        Remember what the manager says now of what every connection asks for.
        """
        manager = self._manager
        self._revision = manager.revision
        self._maxConnections = self._service.maxConnections
        self._pool: HostPool = manager.getPool(self.serviceName)

    def accepted(self, fd: int | AcceptedClient, peer: object) -> None:
        """
        A client has connected.

        @param fd: the descriptor of its socket, which is ours from here,
            whatever is raised; or a client that the reactor has accepted.
        @param peer: its address, as accept gives it.
        """
        tally, counters = self._tally, self._counters
        if self._revision != self._manager.revision:
            if self._closed:
                # It was in the backlog of a listener that is being closed.
                _close(fd)
                return
            self._follow()
        if tally.active >= tally.capacity:
            self._refuse(fd, RefusalKind.DESCRIPTORS, f"{tally.active} are all there can be")
        elif counters.active >= self._maxConnections:
            self._refuse(fd, RefusalKind.LIMIT, f"it has {counters.active} connections")
        elif self._makePreface is None:
            if self._admission.active and not self._admits(fd, peer):
                return
            counters.active += 1
            counters.accepted += 1
            tally.active += 1
            self._dial(fd, peer, b"", peer)
        else:
            assert not isinstance(fd, AcceptedClient)  # noqa: S101 - tests have no prefaces
            self._read(fd, peer, self._makePreface)

    def _admits(self, fd: int | AcceptedClient, clientAddr: object) -> bool:
        """
        Whether a client may come in. One that may not is closed.
        """
        refusal = self._admission.admit(packedClient(clientAddr), self._deadlines.seconds())
        if refusal is None:
            return True
        self._refuse(fd, refusal, f"{_text(_clientAddr(fd, clientAddr))} {_WHY[refusal]}")
        return False

    def _clients(self) -> list[bytes | None]:
        return [
            packedClient(clientAddr)
            for relay in self._allRelays()
            for clientAddr in relay.clientAddrs()
        ]

    def _read(self, fd: int, peer: object, makePreface: Callable[[], IPreface]) -> None:
        sock = socket.socket(fileno=fd)
        sock.setblocking(False)
        try:
            preface = makePreface()
        except BaseException:
            sock.close()
            raise

        def verdict(answer: Done | Reject) -> None:
            self._readers.discard(reader)
            if isinstance(answer, Reject):
                self._left()
                self._refuse(sock.detach(), RefusalKind.PREFACE, answer.reason)
                return
            # Only now is it known who comes.
            clientAddr = peer if answer.clientAddr is None else _plain(answer.clientAddr)
            fd = sock.detach()
            if self._admission.active and not self._admits(fd, clientAddr):
                self._left()
                return
            if not self._closed:
                # It has taken its time.
                self._follow()
            self._dial(fd, peer, answer.leftover, clientAddr)

        reader = PrefaceReader(sock, preface, self._reactor, self._deadlines, verdict)
        self._readers.add(reader)
        self._counters.active += 1
        self._counters.accepted += 1
        self._tally.active += 1

    def _dial(
        self, fd: int | AcceptedClient, peer: object, leftover: bytes, clientAddr: object
    ) -> None:
        """
        Look for a host, and give the client to the relay.

        @param peer: the address of the client's socket.
        @param clientAddr: the client's own, which its preface may have told.
        """
        pool = self._pool
        dial = pool.dial(_clientAddr(fd, clientAddr), self._limits)
        step = firstStep(dial)
        if isinstance(step, GaveUp):
            _close(fd)
            self._relayed(Relayed(dial, gaveUp=step))
            return
        sendProxy = pool.settings.sendProxy
        if sendProxy is not None:
            leftover = _ENCODERS[sendProxy](_socketName(clientAddr), _ownName(fd)) + leftover
        if isinstance(peer, tuple):
            # Where the reactor accepts there is the portable relay alone.
            self.relay.start(fd, step, leftover)  # type: ignore[arg-type]
        else:
            self.relay.start(fd, step, leftover, isUNIX=True)  # type: ignore[arg-type]

    def _relayed(self, result: Relayed) -> None:
        """
        A connection is over.
        """
        self._left()
        if self._admission.counting:
            self._admission.left(packedClient(result.dial.clientAddr))
        if result.gaveUp is not None:
            self._count(_REFUSALS[result.gaveUp.reason], _whyOf(result.gaveUp))
        if self.record is not None:
            try:
                self.record(self._recordOf(result))
            except Exception:  # noqa: BLE001 - a full disk, or whatever a user's own does
                _log.failure("the record of a connection could not be kept")

    def _left(self) -> None:
        self._counters.active -= 1
        self._tally.remove()

    def _refuse(self, fd: int | AcceptedClient, kind: RefusalKind, detail: str) -> None:
        _close(fd)
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
            active=self._tally.active,
            serviceActive=self._counters.active,
            groupActive=dial.pool.active,
            hostActive=0 if lease is None else lease.host.active,
        )

    def abortAll(self) -> None:
        """
        Reset every connection of the service.
        """
        for reader in tuple(self._readers):
            reader.stop()
        for relay in self._allRelays():
            relay.abortAll()


def _whyOf(gaveUp: GaveUp) -> str:
    """
    Why a search found no host, for people.
    """
    failure = gaveUp.failure
    if gaveUp.reason is GaveUpReason.LOCAL and failure is not None:
        return f"{failure.detail}; the fault is this machine's, and no host was put out for it"
    if gaveUp.reason in _REASONS:
        return _REASONS[gaveUp.reason]
    return "no host is ready" if failure is None else failure.detail


def _close(fd: int | AcceptedClient) -> None:
    if isinstance(fd, AcceptedClient):
        fd.close()
    else:
        os.close(fd)


def _clientAddr(fd: int | AcceptedClient, peer: object) -> tuple[str, int]:
    """
    What schedulers and logs know a client by. Whatever socket it has come through, it is
    written in one way.
    """
    if isinstance(peer, tuple):
        return peer if len(peer) == 2 else (hostOf(peer), peer[1])
    return f"unix:{os.fsdecode(_ownName(fd))}", 0


def _plain(clientAddr: tuple[str, int]) -> tuple[str, int]:
    """
    The client that a preface has told of, as others are written.
    """
    host, port = clientAddr
    return plainHost(host), port


def _ownName(fd: int | AcceptedClient) -> Any:
    """
    Our end of a connection, as the system tells it.
    """
    if isinstance(fd, AcceptedClient):
        return fd.ownName
    sock = socket.socket(fileno=fd)
    try:
        return sock.getsockname()
    finally:
        sock.detach()


def _socketName(peer: object) -> Any:
    return peer if isinstance(peer, (tuple, str, bytes)) else ""


def _text(clientAddr: object) -> str:
    if not isinstance(clientAddr, tuple):
        return str(clientAddr)
    host, port = clientAddr
    if not port:
        return str(host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
