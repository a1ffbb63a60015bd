"""
Tests for L{txlb.proxy._relays}.
"""

from __future__ import annotations

from typing import Any

from tests.proxy.fakes import FakeRelay, ReactorCase
from txlb.model import Listener
from txlb.pool import HostPool, Outcome
from txlb.proxy import AcceptedClient, ClientConnection, Loop, Relayed, Timeouts
from txlb.proxy._relays import Relays

LISTENER = Listener(("127.0.0.1", 80))


class RelaysTests(ReactorCase):
    def setUp(self) -> None:
        super().setUp()
        self.loop = Loop(self.reactor, self.deadlines)
        self.addCleanup(self.loop.stop)
        self.ended: list[Relayed] = []
        self.relays = Relays(self.reactor, self.deadlines, self.ended.append)

    def test_each(self) -> None:
        """
        The relay is chosen for each connection: a client that the reactor has accepted gets
        the portable one though the usual one is the fast one.
        """
        self.relays.configure(self.loop, Timeouts())
        descriptor = ClientConnection(5, ("192.0.2.7", 1), LISTENER)
        accepted = AcceptedClient(lambda *_: None)
        client = ClientConnection(-1, ("192.0.2.7", 1), LISTENER, accepted)
        self.assertEqual(self.relays.of(descriptor).name, "fast")
        self.assertEqual(self.relays.of(client).name, "portable")
        self.relays.configure(None, Timeouts())
        self.assertEqual(self.relays.of(descriptor).name, "portable")
        self.assertIs(self.relays.of(descriptor), self.relays.of(client))

    def test_configured(self) -> None:
        """
        A relay that is not the usual one any more stays, with the new timeouts.
        """
        self.relays.configure(self.loop, Timeouts(idle=1))
        fast = self.relays.usual
        self.relays.configure(None, Timeouts(idle=2))
        self.relays.configure(self.loop, Timeouts(idle=3))
        self.assertIs(self.relays.usual, fast)
        idle = {name: relay.timeouts.idle for name, relay in self.relays.byName.items()}
        self.assertEqual(idle, {"fast": 3, "portable": 3})

    def test_endpoints(self) -> None:
        """
        The portable relay connects by the endpoints that it is given.
        """

        def makeEndpoint(*_: object) -> Any:
            raise AssertionError

        relays = Relays(self.reactor, self.deadlines, self.ended.append, makeEndpoint=makeEndpoint)
        relays.configure(None, Timeouts())
        relay: Any = relays.usual
        self.assertIs(relay.makeEndpoint, makeEndpoint)

    def test_all(self) -> None:
        """
        Whatever concerns all connections reaches each relay once.
        """
        usual, former = FakeRelay(), FakeRelay()
        byName: Any = {"fake": usual, "former": former}
        self.relays.byName, self.relays.usual = byName, usual
        host: Any = HostPool("roundr")
        self.relays.leaveHost(host, Outcome.REMOVED)
        self.relays.trackConnections()
        self.relays.abortAll()
        for relay in (usual, former):
            self.assertEqual(relay.left, [(host, Outcome.REMOVED)])
            self.assertEqual((relay.noted, relay.aborted), (1, 1))
        self.assertEqual((self.relays.connectionCount(), self.relays.clientAddrs()), (0, []))
