"""
The TLS handshakes of the clients of one service, and their bounds.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.deadlines import Deadlines
from txlb.model import Listener, ListenTLS
from txlb.proxy import ClientConnection
from txlb.proxy._handshakes import Handshakes
from txlb.wire import Done


class Fake:
    """
    A handshake that a test ends.
    """

    def __init__(self) -> None:
        self.abandoned = False

    def begin(self, done: Any, failed: Any) -> Fake:
        self.done, self.failed = done, failed
        return self

    def abandon(self) -> None:
        self.abandoned = True


class HandshakesTests(SynchronousTestCase):
    """
    L{Handshakes}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.events: list[tuple[object, ...]] = []
        self.deadlines = Deadlines(self.clock, self.clock.seconds)
        self.handshakes = Handshakes(
            self.deadlines,
            lambda client, token: self.events.append((client, token)),
            lambda client, reason: self.events.append((client, reason)),
        )
        self.settings = ListenTLS("certs", maxHandshakes=3, maxHandshakesPerClient=2)

    def client(self, host: str = "192.0.2.1") -> ClientConnection:
        return ClientConnection(1, (host, 1), Listener("127.0.0.1:80", tls=self.settings))

    def begin(self, client: ClientConnection) -> Fake:
        fake = Fake()
        self.handshakes.add(client, self.settings, fake.begin, "token")
        return fake

    def test_done(self) -> None:
        client = self.client()
        fake = self.begin(client)
        self.assertEqual(len(self.handshakes), 1)
        self.assertEqual(self.handshakes.clientAddrs(), [("192.0.2.1", 1)])
        fake.done()
        self.assertEqual(self.events, [(client, "token")])
        self.assertEqual((len(self.handshakes), len(self.deadlines)), (0, 0))

    def test_failed(self) -> None:
        client = self.client()
        self.begin(client).failed("why")
        self.assertEqual(self.events, [(client, "why")])
        self.assertEqual((len(self.handshakes), len(self.deadlines)), (0, 0))

    def test_expired(self) -> None:
        """
        A handshake has its time.
        """
        client = self.client()
        fake = self.begin(client)
        for _ in range(12):
            self.clock.advance(1)
        self.assertEqual(self.events, [(client, "it was not done within 10 s")])
        self.assertTrue(fake.abandoned)

    def test_timesOfListeners(self) -> None:
        """
        Each has the time of its listener, and what a listener had before is forgotten.
        """
        for seconds in (2.0, 1.0):
            client = self.client()
            settings = ListenTLS("certs", handshakeTimeout=seconds)
            self.handshakes.add(client, settings, Fake().begin, "token")
        self.clock.pump([0.25] * 6)
        self.assertEqual([each[1] for each in self.events], ["it was not done within 1 s"])
        self.clock.pump([0.25] * 4)
        self.assertEqual(self.events[1][1], "it was not done within 2 s")
        self.begin(self.client()).done()
        self.assertEqual(list(self.handshakes._waits), [10.0])

    def test_bounds(self) -> None:
        """
        There are so many at once, of one client and in all. An IPv6 client is a network.
        """
        first = self.begin(self.client("2001:db8::1"))
        self.begin(self.client("2001:db8::2"))
        refused = self.handshakes.hasRoom(self.client("2001:db8::3"), self.settings)
        self.assertIn("2 TLS handshakes of this client are under way", str(refused))
        other = self.client()
        self.assertIsNone(self.handshakes.hasRoom(other, self.settings))
        self.begin(other)
        refused = self.handshakes.hasRoom(self.client("192.0.2.2"), self.settings)
        self.assertIn("3 TLS handshakes are under way (maxHandshakes)", str(refused))
        first.done()
        self.assertIsNone(self.handshakes.hasRoom(self.client("2001:db8::3"), self.settings))

    def test_knownByItsPreface(self) -> None:
        """
        A client that a PROXY header names is counted by that name.
        """
        for number in (1, 2):
            client = self.client()
            client.found = Done(clientAddr=(f"198.51.100.{number}", 1))
            self.begin(client)
        self.assertIsNone(self.handshakes.hasRoom(self.client(), self.settings))

    def test_abandonAll(self) -> None:
        fakes = [self.begin(self.client()) for _ in range(2)]
        self.handshakes.abandonAll()
        self.assertEqual([each.abandoned for each in fakes], [True, True])
        self.assertEqual([each[1] for each in self.events], ["the balancer stops"] * 2)
