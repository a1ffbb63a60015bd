"""
A frontend to test, with a relay that only keeps what it gets.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from tests.proxy.fakes import FakeRelay, ReactorCase, accepted
from txlb.interfaces import IPreface
from txlb.manager import ProxyManager, proxyManagerFactory
from txlb.model import ProxyGroup, ProxyHost, ProxyService
from txlb.pool import Outcome
from txlb.proxy import (
    ClientConnection,
    ConnectionLimit,
    ConnectionRecord,
    Destination,
    Frontend,
    Relayed,
)
from txlb.wire import Done, Reject

PEER = ("192.0.2.7", 4711)


class FakeEntry:
    """
    An entry whose prefaces are those of a test.
    """

    def __init__(self, makePreface: Callable[[], IPreface]) -> None:
        self.isShared = False
        self.makePreface = makePreface
        self.router: Callable[[ClientConnection], Destination | Reject] | None = None

    @property
    def timeout(self) -> float:
        return self.makePreface().timeout

    def isProxy(self, client: ClientConnection) -> bool:
        return False

    def glance(self, data: bytes) -> Done | None:
        return None

    def preface(self, client: ClientConnection) -> IPreface:
        return self.makePreface()

    def route(self, client: ClientConnection) -> Destination | Reject:
        return Destination() if self.router is None else self.router(client)


class FrontendCase(ReactorCase):
    def setUp(self) -> None:
        super().setUp()
        self.connectionLimit = ConnectionLimit()
        self.relay = FakeRelay()
        self.addCleanup(self.relay.close)
        self.records: list[ConnectionRecord] = []
        self.groupSettings: dict[str, Any] = {}
        self.hosts = [ProxyHost("a", "127.0.0.1", 7001), ProxyHost("b", "127.0.0.1", 7002)]

    def frontend(
        self, makePreface: Any = None, sendProxy: str | None = None, **settings: Any
    ) -> Frontend:
        grouped = {"scheduler": "leastc", **self.groupSettings}
        group = ProxyGroup("main", enabled=True, hosts=self.hosts, sendProxy=sendProxy, **grouped)
        groups = [group, ProxyGroup("spare")]
        service = ProxyService("web", [("127.0.0.1", 0)], groups, **settings)
        self.manager: ProxyManager = proxyManagerFactory([service], seconds=self.reactor.seconds)
        self.counters = self.manager.getCounters("web")
        frontend = Frontend("web", self.manager, self.reactor, self.deadlines, self.connectionLimit)
        if makePreface is not None:
            # As for a listener whose connections have one.
            entry = self.entry = FakeEntry(makePreface)
            accepted = partial(frontend.acceptedAt, entry)
            setattr(frontend, "accepted", accepted)  # noqa: B010 - it is a method
        frontend.relays.usual = self.relay
        frontend.record = self.records.append
        return frontend

    def come(self, frontend: Frontend, peer: object = PEER) -> socket.socket:
        """
        @return: the client's end.
        """
        ours, theirs = self.pair()
        frontend.accepted(accepted(ours.detach(), peer))
        return theirs

    def assertClosed(self, client: socket.socket) -> None:
        self.assertEqual(client.recv(1), b"")

    def assertOpen(self, client: socket.socket) -> None:
        client.setblocking(False)
        self.assertRaises(BlockingIOError, client.recv, 1)
        client.settimeout(10)

    def end(self, frontend: Frontend, index: int = -1, outcome: Outcome = Outcome.DONE) -> None:
        """
        The relay says that a connection has ended which had reached its host.
        """
        sock, attempt, _, _ = self.relay.started[index]
        lease = attempt.connected()
        lease.add(10, 200)
        lease.release(outcome)
        sock.close()
        attempt.dial.connectTime = 0.25
        frontend.relayed(Relayed(attempt.dial, lease))
