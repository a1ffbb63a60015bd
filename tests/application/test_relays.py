"""
Which relay a service gets, and what that takes.
"""

from __future__ import annotations

import socket
from typing import Any
from unittest import mock

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from tests.certificates import Authority, put
from tests.proxy.fakes import ReactorCase, logOf
from txlb.application import LoadBalancedService
from txlb.errors import CertificateError, ModelError
from txlb.manager import proxyManagerFactory
from txlb.model import HostTLS, ProxyGroup, ProxyHost, ProxyService, TCPAddress
from txlb.testing import FarHost


def balancerOf(
    running: Any, relays: dict[str, str], hosts: tuple[ProxyHost, ...] = ()
) -> LoadBalancedService:
    """
    A balancer with a service for each name, which has that relay.
    """
    services = [
        ProxyService(
            name, [("127.0.0.1", 0)], [ProxyGroup("main", enabled=True, hosts=hosts)], relay=relay
        )
        for name, relay in relays.items()
    ]
    return LoadBalancedService(
        proxyManagerFactory(services), running, graceTime=0.1, inMemory=False
    )


class ChoiceTests(ReactorCase):
    """
    Who gets which.
    """

    def told(self, **relays: str) -> dict[object, str]:
        """
        @return: what the log says of each service at start.
        """
        log = logOf(self)
        balancer = balancerOf(self.reactor, relays)
        balancer.startService()
        self.addCleanup(balancer.stopService)
        return {
            event["service"]: f"{event['relay']}{event['why']}" for event in log if "relay" in event
        }

    def test_asAsked(self) -> None:
        """
        A service has the configured relay, by default the fast one.
        """
        self.assertEqual(
            self.told(web="auto", api="portable", mail="fast"),
            {
                "web": "fast",
                "api": "portable (configured)",
                "mail": "fast (configured)",
            },
        )

    def test_cantBe(self) -> None:
        """
        If the fast relay can't be used, a service without a configured relay gets the
        portable one, and a service with the fast one fails with the reason.
        """
        with mock.patch("txlb.application._engine.whyNotFast", return_value="it is Tuesday"):
            self.assertEqual(self.told(web="auto"), {"web": "portable (it is Tuesday)"})
            balancer = balancerOf(self.reactor, {"web": "fast"})
            error = self.assertRaises(ModelError, balancer.bind)
        self.assertIn("'web'", str(error))
        self.assertIn("it is Tuesday", str(error))

    def test_pipesWantDescriptorsToo(self) -> None:
        """
        Where there are few descriptors there are fewer pipes than connections.
        """
        balancer = balancerOf(self.reactor, {"web": "fast"})
        self.addCleanup(balancer.stopService)
        with mock.patch("txlb.proxy._connectionlimit.raiseDescriptorLimit", return_value=128):
            balancer.startService()
        connectionLimit = balancer.engine.connectionLimit
        self.assertTrue(10 < connectionLimit.capacity < 48, connectionLimit.capacity)
        loop = balancer.engine._loop
        assert loop is not None
        self.assertTrue(loop.pipes.most <= connectionLimit.capacity // 8, loop.pipes.most)


class LaterTLSTests(ReactorCase):
    """
    TLS to hosts that a single verb brings.
    """

    def setUp(self) -> None:
        super().setUp()
        self.log = logOf(self)
        balancer = self.lbs = balancerOf(self.reactor, {"web": "auto", "api": "auto"})
        balancer.startService()
        self.addCleanup(balancer.stopService)
        self.ca = put(self.mktemp(), "ca.crt", Authority().pem)
        self.manager = balancer.manager

    def relays(self) -> tuple[str, ...]:
        engine = self.lbs.engine
        frontends = [engine.frontendOf(name) for name in ("web", "api")]
        return tuple(each.relay.name for each in frontends if each is not None)

    def add(self, **settings: Any) -> None:
        self.manager.addHost("web", "main", "a", "127.0.0.1:7001", **settings)

    def told(self) -> list[str]:
        return [event["relay"] for event in self.log if event.get("service") == "web"]

    def test_fallback(self) -> None:
        """
        If OpenSSL can't be called directly, a service has the portable relay from when its first
        host has TLS, and the fast one again when none has.
        """
        why = "it is Tuesday"
        with mock.patch("txlb.proxy._frontend.whyNotTLS", return_value=why) as tried:
            self.add()
            self.assertEqual((self.relays(), tried.call_count), (("fast", "fast"), 0))
            self.manager.setHost("web", "main", "a", tls=HostTLS(ca=self.ca))
            self.assertEqual(self.relays(), ("portable", "fast"))
            self.manager.delHost("web", "main", "a")
            self.assertEqual(self.relays(), ("fast", "fast"))
            self.add(tls=HostTLS(ca=self.ca))
            self.assertEqual(self.relays(), ("portable", "fast"))
        self.assertEqual(self.told(), ["fast", "portable", "fast", "portable"])

    def test_usual(self) -> None:
        """
        Else the fast relay has them.
        """
        self.add(tls=HostTLS(ca=self.ca))
        self.manager.setGroup("api", "main", tls=HostTLS(ca=self.ca))
        self.assertEqual((self.relays(), self.told()), (("fast", "fast"), ["fast"]))

    def test_wrongFile(self) -> None:
        """
        A file that can't be used is refused before anything changes. The contexts that no host
        needs are forgotten.
        """
        wrong = HostTLS(ca="/no/such/file")
        before = self.manager.services["web"]
        error = self.assertRaises(CertificateError, self.add, tls=wrong)
        self.assertIn("host 'a' of service 'web': ca is /no/such/file", str(error))
        self.assertIs(self.manager.services["web"], before)
        self.manager.addHost("web", "main", "b", "127.0.0.1:7002")
        error = self.assertRaises(
            CertificateError, self.manager.setGroup, "web", "main", tls=wrong, maxQueue=7
        )
        self.assertIn("host 'b' of service 'web'", str(error))
        self.assertEqual(self.manager.services["web"].groups[0].maxQueue, 0)
        self.manager.setHost("web", "main", "b", tls=HostTLS(ca=self.ca))
        self.assertTrue(self.lbs.tls)
        self.manager.delHost("web", "main", "b")
        self.assertFalse(self.lbs.tls)

    def test_stopped(self) -> None:
        """
        A balancer that does not run looks into the files when it starts.
        """
        self.lbs.stopService()
        self.add(tls=HostTLS(ca="/no/such/file"))
        error = self.assertRaises(CertificateError, self.lbs.startService)
        self.assertIn("host 'a' of service 'web'", str(error))
        self.manager.delHost("web", "main", "a")
        self.lbs.startService()


class RunTests(TestCase):
    """
    The fast relay in a service, under trial's reactor.
    """

    def start(self) -> None:
        """
        A balancer with a host that the test plays.
        """
        self.host = FarHost(reactor)
        self.addCleanup(self.host.close)
        self.balancer = balancerOf(reactor, {"web": "fast"}, (self.host.configured("host"),))
        self.balancer.startService()

    async def connected(self) -> tuple[socket.socket, socket.socket]:
        """
        @return: the far ends of a connection.
        """
        address = self.balancer.getProxyService("web").addresses[0]
        assert isinstance(address, TCPAddress)
        client = socket.create_connection((address.host, address.port))
        self.addCleanup(client.close)
        server = (await self.host.accept()).sock
        self.addCleanup(server.close)
        return client, server

    async def test_stopWithoutConnections(self) -> None:
        """
        It stops, and starts again.
        """
        self.start()
        await self.balancer.stopService()
        self.balancer.startService()
        client, server = await self.connected()
        client.close()
        server.close()
        await self.balancer.stopService()

    async def test_stopsWithTheLastConnection(self) -> None:
        """
        A balancer that waits for its last connection ends with it, in the
        middle of the loop's turn.
        """
        self.start()
        self.balancer.graceTime = 30.0
        client, server = await self.connected()
        stopped = self.balancer.stopService()
        client.close()
        server.close()
        await stopped
        self.assertEqual(self.balancer.manager.getCounters("web").active, 0)

    async def test_graceIsOver(self) -> None:
        """
        A connection that does not end in time is reset.
        """
        self.start()
        client, _ = await self.connected()
        await self.balancer.stopService()
        client.settimeout(10)
        self.assertRaises(ConnectionResetError, client.recv, 1)

    async def test_switchPort(self) -> None:
        """
        It listens elsewhere, and the open connection goes on.
        """
        self.start()
        client, server = await self.connected()
        self.balancer.switchPort("web", 0)
        other, _ = await self.connected()
        client.sendall(b"still there")
        await deferLater(reactor, 0.05, lambda: None)
        server.settimeout(10)
        self.assertEqual(server.recv(100), b"still there")
        for sock in (client, server, other):
            sock.close()
        await self.balancer.stopService()

    async def test_left(self) -> None:
        """
        It accepts nobody for a while: a client waits, and the open connection goes on.
        """
        self.start()
        client, server = await self.connected()
        readiness = self.balancer.engine.readiness
        readiness.hold("standby")
        address = self.balancer.getProxyService("web").addresses[0]
        assert isinstance(address, TCPAddress)
        waiting = socket.create_connection((address.host, address.port))
        self.addCleanup(waiting.close)
        waiting.sendall(b"early")
        client.sendall(b"still there")
        await deferLater(reactor, 0.05, lambda: None)
        server.settimeout(10)
        self.assertEqual(server.recv(100), b"still there")
        self.assertEqual(self.balancer.manager.getCounters("web").accepted, 1)
        readiness.release("standby")
        other = (await self.host.accept()).sock
        self.addCleanup(other.close)
        await deferLater(reactor, 0.05, lambda: None)
        other.settimeout(10)
        self.assertEqual(other.recv(100), b"early")
        for sock in (client, server, waiting, other):
            sock.close()
        await self.balancer.stopService()
