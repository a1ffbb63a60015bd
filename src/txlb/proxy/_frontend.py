"""
The way of a service's connections from being accepted to being relayed:
preface, admission, the search for a host, and the record at the end.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from txlb.deadlines import Deadlines
from txlb.interfaces import IPreface, IRelay
from txlb.manager import ProxyManager
from txlb.model import ProxyService
from txlb.pool import DialLimits, GaveUp, GaveUpReason, Outcome, RefusalKind
from txlb.proxy._limits import Tally, Throttle
from txlb.proxy._portable import PortableRelay
from txlb.proxy._preface import PrefaceReader
from txlb.proxy._results import ConnectionRecord, Relayed, Timeouts
from txlb.proxy._search import firstStep
from txlb.wire import Done, Reject, encodeProxyV1, encodeProxyV2

_log = Logger()

_REFUSALS = {
    GaveUpReason.NO_HOST: RefusalKind.NO_HOST,
    GaveUpReason.UNREACHABLE: RefusalKind.UNREACHABLE,
    GaveUpReason.TIMEOUT: RefusalKind.TIMEOUT,
    GaveUpReason.LOCAL: RefusalKind.LOCAL,
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
    ) -> None:
        self.serviceName = serviceName
        self.record: Recorder | None = None
        self._manager = manager
        self._reactor = reactor
        self._deadlines = deadlines
        self._tally = tally
        self._makePreface = makePreface
        self._counters = manager.getCounters(serviceName)
        self._readers: set[PrefaceReader] = set()
        self._throttles = {kind: Throttle(deadlines.seconds) for kind in RefusalKind}
        service = self._service
        self._limits = DialLimits(service.connectTimeout, service.dialTimeout, service.retries)
        timeouts = Timeouts(service.idleTimeout, service.finTimeout)
        self.relay: IRelay = PortableRelay(reactor, deadlines, timeouts, self._relayed)

    @property
    def _service(self) -> ProxyService:
        return self._manager.getService(self.serviceName)

    def accepted(self, sock: socket.socket, peer: object) -> None:
        """
        A client has connected.

        @param sock: its socket, non-blocking; it is ours from here.
        @param peer: its address, as accept gives it.
        """
        if self._tally.full:
            self._refuse(sock, RefusalKind.DESCRIPTORS)
        elif self._counters.active >= self._service.maxConnections:
            self._refuse(sock, RefusalKind.LIMIT)
        else:
            # Made before it is counted: where that raises nobody has come in.
            preface = None if self._makePreface is None else self._makePreface()
            self._counters.active += 1
            self._counters.accepted += 1
            self._tally.add()
            if preface is None:
                self._dial(sock, peer, b"")
            else:
                self._read(sock, peer, preface)

    def _read(self, sock: socket.socket, peer: object, preface: IPreface) -> None:
        def verdict(answer: Done | Reject) -> None:
            self._readers.discard(reader)
            if isinstance(answer, Reject):
                self._left()
                self._refuse(sock, RefusalKind.PREFACE, answer.reason)
            else:
                self._dial(sock, answer.clientAddr or peer, answer.leftover)

        reader = PrefaceReader(sock, preface, self._reactor, self._deadlines, verdict)
        self._readers.add(reader)

    def _dial(self, sock: socket.socket, peer: object, leftover: bytes) -> None:
        """
        Look for a host, and give the client to the relay.
        """
        service = self._service
        pool = self._manager.getPool(self.serviceName)
        dial = pool.dial(_clientAddr(sock, peer), self._limits)
        step = firstStep(dial)
        if isinstance(step, GaveUp):
            sock.close()
            self._relayed(Relayed(dial, gaveUp=step))
            return
        header = b""
        if service.enabledGroup.sendProxy is not None:
            encode = _ENCODERS[service.enabledGroup.sendProxy]
            header = encode(_socketName(peer), sock.getsockname())
        self.relay.start(sock.detach(), step, header + leftover)

    def _relayed(self, result: Relayed) -> None:
        """
        A connection is over.
        """
        self._left()
        if result.gaveUp is not None:
            kind = _REFUSALS[result.gaveUp.reason]
            self._count(kind, str(result.gaveUp.failure or ""))
        if self.record is not None:
            try:
                self.record(self._recordOf(result))
            except Exception:  # noqa: BLE001 - a full disk, or whatever a user's own does
                _log.failure("the record of a connection could not be kept")

    def _left(self) -> None:
        self._counters.active -= 1
        self._tally.remove()

    def _refuse(self, sock: socket.socket, kind: RefusalKind, detail: str = "") -> None:
        sock.close()
        self._count(kind, detail)

    def _count(self, kind: RefusalKind, detail: str) -> None:
        self._counters.refused[kind] += 1
        times = self._throttles[kind].happened()
        if times:
            _log.warn(
                "{service}: {times} clients closed, {kind} {detail}",
                service=self.serviceName,
                times=times,
                kind=kind.value,
                detail=detail,
            )

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
            connectTime=result.connectTime,
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
        self.relay.abortAll()


def _clientAddr(sock: socket.socket, peer: object) -> tuple[str, int]:
    """
    What schedulers and logs know a client by.
    """
    if isinstance(peer, tuple) and len(peer) >= 2:
        return str(peer[0]), int(peer[1])
    return f"unix:{os.fsdecode(sock.getsockname())}", 0


def _socketName(peer: object) -> Any:
    return peer if isinstance(peer, (tuple, str, bytes)) else ""


def _text(clientAddr: object) -> str:
    if not isinstance(clientAddr, tuple):
        return str(clientAddr)
    host, port = clientAddr
    if not port:
        return str(host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
