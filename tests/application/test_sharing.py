"""
Tests for services of L{txlb.application.service.LoadBalancedService} that share an address.
"""

from __future__ import annotations

import socket

from twisted.internet.testing import MemoryReactorClock

from tests.application.balancers import ServiceCase
from tests.proxy.fakes import FakeRelay
from tests.wire.hellos import hello
from txlb.application import LoadBalancedService
from txlb.errors import ListenError, ModelError
from txlb.manager import proxyManagerFactory
from txlb.model import Listener, ProxyGroup, ProxyHost, ProxyService
from txlb.pool import RefusalKind
from txlb.wire import Alert, encodeProxyV1

#: The answer to a client of TLS that no service wants.
ALERT = Alert.UNRECOGNIZED_NAME.record

GROUP = ProxyGroup("main", "leastc", True, [ProxyHost("h0", "127.0.0.1", 7001)])


class SharingTests(ServiceCase):
    def setUp(self) -> None:
        super().setUp()
        self.place = f"127.0.0.1:{self.freePort()}"
        self.relays: dict[str, FakeRelay] = {}

    def service(self, name: str, serverNames: str = "", **options: object) -> ProxyService:
        settings = {
            each: options.pop(each) for each in ("maxConnections", "deny") if each in options
        }
        listener = Listener(self.place, serverNames=serverNames, **options)  # type: ignore[arg-type]
        return ProxyService(name, [listener], [GROUP], relay="portable", **settings)  # type: ignore[arg-type]

    def running(self, *services: ProxyService) -> LoadBalancedService:
        lbs = self.balancer(more=services)
        self.start()
        return lbs

    def change(self, *services: ProxyService) -> None:
        self.lbs.apply([self.manager.getService("web"), *services])

    def useFakes(self) -> None:
        """
        Let relays that only keep connections have them. A change takes them away.
        """
        for name in self.manager.services:
            if name not in self.relays:
                relay = self.relays[name] = FakeRelay()
                self.addCleanup(relay.close)
            self.frontendOf(name).relays.usual = self.relays[name]

    def go(self, data: bytes) -> socket.socket:
        """
        A client comes and sends this.
        """
        self.useFakes()
        host, _, port = self.place.partition(":")
        client = self.connect((host, int(port)))
        self.reactor.readable()
        client.sendall(data)
        for _ in range(100_000):
            if not self.prefaces():
                break
            self.reactor.readable()
        return client

    def prefaces(self) -> int:
        frontends = [self.frontendOf(name) for name in self.manager.services]
        return sum(len(each._prefaces) for each in frontends)

    def got(self) -> dict[str, int]:
        """
        @return: how many connections each service has got, without those with none.
        """
        return {name: len(each.started) for name, each in self.relays.items() if each.started}

    def test_names(self) -> None:
        """
        Each gets its clients, with all of their bytes and its own listener; what counts and
        what is admitted is up to it.
        """
        a = self.service("a", "a.example")
        b = self.service("b", "*.b.example", maxConnections=1)
        self.running(a, b, self.service("rest", plain=True, deny=["127.0.0.1"]))
        self.go(hello("a.example"))
        self.assertEqual(self.got(), {"a": 1})
        [(_, _, toHost, _)] = self.relays["a"].started
        self.assertEqual(toHost, hello("a.example"))
        first = self.go(hello("x.b.example"))
        second = self.go(hello("x.b.example"))
        self.assertEqual(self.got(), {"a": 1, "b": 1})
        first.setblocking(False)
        self.assertRaises(BlockingIOError, first.recv, 1)
        self.assertEqual(second.recv(1), b"")
        self.assertEqual(self.go(b"plain").recv(1), b"")
        counters = {name: self.manager.getCounters(name) for name in self.manager.services}
        self.assertEqual(counters["b"].refused[RefusalKind.LIMIT], 1)
        self.assertEqual(counters["rest"].refused[RefusalKind.DENIED], 1)
        self.assertEqual([counters[name].active for name in ("a", "b", "rest")], [1, 1, 0])
        self.assertEqual([counters[name].accepted for name in ("a", "b", "rest")], [1, 1, 0])
        self.assertEqual(self.lbs.engine.connectionLimit.active, 2)

    def test_refused(self) -> None:
        """
        A client that no service wants is closed, and counted once.
        """
        self.running(self.service("a", "a.example"), self.service("b", "b.example"))
        for data, answer in ((hello("c.example"), ALERT), (hello(None), ALERT), (b"GET", b"")):
            self.assertEqual(self.go(data).recv(100), answer)
        refused = [self.manager.getCounters(each).refused[RefusalKind.PREFACE] for each in "ab"]
        self.assertEqual(sum(refused), 3)
        self.assertEqual(self.lbs.engine.connectionLimit.active, 0)

    def test_changes(self) -> None:
        """
        Names come and go, and the socket stays; when the last service goes it is free.
        """
        self.running(self.service("a"))
        self.go(hello("b.example"))
        self.assertEqual(self.got(), {"a": 1})
        share = self.lbs.getProxyService("a").listener
        assert share is not None
        self.change(self.service("b", "b.example"), self.service("a", "a.example"))
        self.go(hello("b.example"))
        self.go(hello("a.example"))
        self.assertEqual(self.got(), {"a": 2, "b": 1})
        other = self.lbs.getProxyService("b").listener
        assert other is not None
        self.assertIs(other.shared, share.shared)
        self.change(self.service("b", "b.example"))
        self.assertEqual(self.go(hello("a.example")).recv(100), ALERT)
        self.change(self.service("b"))
        self.go(hello("c.example"))
        self.assertEqual(self.got(), {"a": 2, "b": 2})
        self.change()
        host, _, port = self.place.partition(":")
        socket.create_server((host, int(port))).close()

    def test_wrongChange(self) -> None:
        """
        A change in which two services want the same clients changes nothing.
        """
        self.running(self.service("a", "a.example"))
        for wrong in (self.service("b", "a.example"), self.service("b", prefaceTimeout=9)):
            self.assertRaises(ModelError, self.change, self.service("a", "a.example"), wrong)
        self.go(hello("a.example"))
        self.assertEqual(self.got(), {"a": 1})

    def test_whilePrefacesAreRead(self) -> None:
        """
        A client whose preface is being read goes on when a service goes, even the one that
        reads it; one that was for that service is closed.
        """
        self.running(self.service("a", "a.example"), self.service("b", "b.example"))
        clients = []
        for name in ("a.example", "b.example"):
            data = hello(name)
            host, _, port = self.place.partition(":")
            client = self.connect((host, int(port)))
            self.reactor.readable()
            client.sendall(data[:30])
            self.reactor.readable()
            clients.append((client, data[30:]))
        self.assertEqual(self.prefaces(), 2)
        gone = self.frontendOf("a")
        self.change(self.service("b", "b.example"))
        self.useFakes()
        for client, rest in clients:
            client.sendall(rest)
        for _ in range(100_000):
            if not gone._prefaces:
                break
            self.reactor.readable()
        self.assertEqual(self.got(), {"b": 1})
        self.assertEqual(clients[0][0].recv(1), b"")
        self.assertEqual(self.lbs.engine.connectionLimit.active, 1)

    def test_switchPort(self) -> None:
        """
        One service moves away and comes back; it can't come where its clients are another's.
        """
        self.running(
            self.service("a", "a.example"), self.service("b", "b.example"), self.service("c")
        )
        self.lbs.switchPort("a", "127.0.0.1:0")
        self.go(hello("b.example"))
        self.assertEqual(self.got(), {"b": 1})
        self.go(hello("a.example"))
        self.assertEqual(self.got(), {"b": 1, "c": 1})
        self.lbs.switchPort("a", self.place)
        self.go(hello("a.example"))
        self.assertEqual(self.got(), {"b": 1, "c": 1, "a": 1})
        self.assertRaises((ModelError, ListenError), self.lbs.switchPort, "web", self.place)

    def test_trustedLive(self) -> None:
        """
        A change of the trusted networks counts for the next client.
        """
        header = encodeProxyV1(("203.0.113.1", 1), ("203.0.113.2", 2))
        trusting = {"proxyProtocol": "v1", "trusted": "127.0.0.1"}
        self.running(self.service("a", **{**trusting, "trusted": "192.0.2.1"}))
        self.assertEqual(self.go(header).recv(1), b"")
        self.go(b"GET")
        self.assertEqual(self.got(), {"a": 1})
        self.change(self.service("a", **trusting))
        self.assertEqual(self.go(b"GET").recv(1), b"")
        self.go(header)
        self.assertEqual(self.got(), {"a": 2})
        _, attempt, _, _ = self.relays["a"].started[-1]
        self.assertEqual(attempt.dial.clientAddr, ("203.0.113.1", 1))
        self.change(self.service("a"))
        self.go(b"")
        self.assertEqual(self.got(), {"a": 3})

    def test_inMemory(self) -> None:
        """
        A reactor that opens no sockets reads no prefaces, which is said at once.
        """
        for service in (
            self.service("a", "a.example"),
            self.service("b", proxyProtocol="v1", trusted="all"),
        ):
            manager = proxyManagerFactory([service], seconds=self.reactor.seconds)
            lbs = LoadBalancedService(manager, MemoryReactorClock(), inMemory=True)
            error = self.assertRaises(ModelError, lbs.privilegedStartService)
            self.assertIn("but this reactor opens no sockets; leave that out here", str(error))

    def test_pause(self) -> None:
        """
        The socket accepts while one of the services does.
        """
        self.running(self.service("a", "a.example"), self.service("b", "b.example"))
        shares = [self.lbs.getProxyService(name).listener for name in ("a", "b")]
        for share in shares:
            assert share is not None
            share.pause()
        self.go(hello("a.example"))
        self.assertEqual(self.got(), {})
        assert shares[1] is not None
        shares[1].start()
        self.reactor.readable()
        self.go(b"")
        for _ in range(100_000):
            if self.got():
                break
            self.reactor.readable()
        self.assertEqual(self.got(), {"a": 1})
