"""
Tests for L{txlb.admin.web._service}.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import maybeDeferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from tests.admin.targets import FakeBalancer
from tests.admin.web.asking import TOKENS, USERS, Client, ConsoleCase, parsed
from tests.fired import fired
from txlb.admin import WebService, webResource, webService
from txlb.admin._history import History
from txlb.admin._kepthistory import KeptHistory
from txlb.admin._newtoken import hashToken
from txlb.admin.web._console import Console
from txlb.admin.web._embedded import EmbeddedConsole, EmbeddedResource
from txlb.config import AdminToken
from txlb.errors import CertificateError, ListenError, ModelError
from txlb.tls import TLSStore


class PortReactor(MemoryReactorClock):
    """
    A reactor that takes listening sockets.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ports: list[Any] = []

    def adoptStreamPort(self, descriptor: int, family: int, factory: Any) -> Any:
        port = FakePort(factory, socket.socket(fileno=os.dup(descriptor)))
        self.ports.append(port)
        return port


class FakePort:
    """
    A port that does as Twisted's does: it accepts more at once if there are more.
    """

    stopped = False
    numberAccepts = 100

    def __init__(self, factory: Any, sock: socket.socket) -> None:
        self.factory = factory
        self.socket = sock
        self.accepted: list[int] = []

    def doRead(self) -> None:
        self.accepted.append(self.numberAccepts)
        self.numberAccepts += 20

    def stopReading(self) -> None:
        self.stopped = True

    def stopListening(self) -> None:
        self.stopped = True
        self.socket.close()


class KeepingBalancer(FakeBalancer):
    """
    A balancer that has parts of its state.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Any] = {}

    def keep(self, keeper: Any) -> None:
        self.kept[keeper.name] = keeper


class ServiceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = PortReactor()
        self.balancer: Any = FakeBalancer()

    def service(self, listen: str = "127.0.0.1:0", **more: Any) -> WebService:
        made = webService(self.balancer, listen, USERS, reactor=self.reactor, **more)
        self.addCleanup(lambda: fired(made.stopService()))
        return made

    def test_events(self) -> None:
        """
        The events of the process before are taken over before the service starts, and its
        console has them.
        """
        self.balancer = balancer = KeepingBalancer()
        service = self.service()
        former, before = History(), FakeBalancer()
        before.manager.subscribe(former)
        for weight in (2, 3):
            before.manager.setWeight("web", "prod", "h0", weight)
        balancer.kept["events-web"].restore(KeptHistory("events-web", former).state())
        service.privilegedStartService()
        service.startService()
        self.assertEqual(self.consoleOf(service).history.last, 2)
        balancer.manager.setWeight("web", "prod", "h0", 4)
        self.assertEqual(self.consoleOf(service).history.last, 3)
        self.assertEqual(len(balancer.kept["events-web"].state()["events"]), 3)

    def consoleOf(self, service: WebService) -> Console:
        site = service._site
        assert site is not None
        return site.console

    def test_life(self) -> None:
        service = self.service()
        for _ in range(2):
            service.privilegedStartService()
            service.startService()
            [address] = service.addresses
            self.assertEqual(getattr(address, "host", ""), "127.0.0.1")
            fired(service.stopService())
            self.assertEqual(service.addresses, ())
        self.assertTrue(all(port.stopped for port in self.reactor.ports))
        self.assertEqual(len(self.reactor.ports), 2)

    def test_crowd(self) -> None:
        """
        It accepts few clients in a turn, however many there are.
        """
        self.service().startService()
        [port] = self.reactor.ports
        for _ in range(5):
            port.doRead()
        self.assertEqual(port.accepted, [2] * 5)

    def test_refusedWithoutTLS(self) -> None:
        """
        Without TLS it listens where only programs of this machine can connect.
        """
        for listen in ("0.0.0.0:0", "*:0"):
            error = self.assertRaises(ListenError, self.service(listen).bind)
            self.assertIn("without TLS", str(error))

    def test_setUsers(self) -> None:
        service = self.service()
        service.setUsers(USERS[:1])
        service.startService()
        service.setUsers(USERS[1:], ())
        self.assertEqual([user.name for user in service.logins.users], ["operator", "full"])

    def test_givenAway(self) -> None:
        """
        Another process of the balancer listens with the same sockets.
        """
        service = self.service()
        service.startService()
        address, sockets = service.listening()
        self.assertEqual((address, len(sockets)), ("127.0.0.1:0", 1))
        other = self.service()
        copies = [sock.dup() for sock in sockets]
        other._lbs.socketsFor = lambda _: copies
        other.bind()
        self.assertEqual(other.addresses, service.addresses)
        service.letGo()
        self.assertTrue(self.reactor.ports[0].stopped)

    def test_wrongCertificate(self) -> None:
        self.balancer.tls = TLSStore()
        error = self.assertRaises(
            CertificateError, self.service(tls=str(self.mktemp()), metrics="open").bind
        )
        self.assertIn("No such file", str(error))

    def test_otherUsers(self) -> None:
        self.service()
        self.assertRaises(ModelError, webService, self.balancer, users=USERS[:1])


class EmbeddedTests(ConsoleCase):
    """
    The console inside of another site.
    """

    def setUp(self) -> None:
        super().setUp()
        self.services = MultiService()
        self.services.manager = self.balancer.manager  # type: ignore[attr-defined]
        self.services.getProxyNames = self.balancer.getProxyNames  # type: ignore[attr-defined]
        tokens = [AdminToken("full", hashToken(TOKENS["full"]), "full")]
        settings = {"tokens": tokens, "needsTLS": True, "seconds": self.clock.seconds}
        embedded = EmbeddedConsole(self.services, None, self.logins, self.clock, settings)
        embedded.setServiceParent(self.services)
        inner = embedded.resource
        root = Resource()
        root.putChild(b"balancer", inner)
        self.site = Site(root, reactor=self.clock)
        self.addCleanup(lambda: fired(maybeDeferred(self.services.stopService)))

    def test_life(self) -> None:
        self.assertEqual(self.ask("GET", "/balancer/health").status, 503)
        self.services.startService()
        self.assertEqual(self.ask("GET", "/balancer/api/v1/services/web").status, 200)
        self.assertEqual(self.ask("GET", "/balancer/").status, 200)
        path = "/balancer/api/v1/services/web/groups/prod/hosts/h0"
        self.assertEqual(self.ask("PATCH", path, {"weight": 9}).status, 200)
        self.assertEqual(self.ask("PATCH", path, b"x" * 70_000).status, 413)
        fired(maybeDeferred(self.services.stopService))
        self.assertEqual(self.ask("GET", "/balancer/health").status, 503)

    def test_made(self) -> None:
        """
        The resource belongs to the balancer, and uses the logins of its other doors.
        """
        made = webResource(self.services, logins=self.logins, reactor=self.clock)
        self.assertIsInstance(made, EmbeddedResource)
        self.assertEqual(len(list(self.services)), 2)

    def test_withoutTLS(self) -> None:
        """
        A client of another machine has to come by TLS.
        """
        self.services.startService()
        client = Client(self, "192.0.2.1")
        client.send(b"GET /balancer/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        self.assertEqual(parsed(client.take()).status, 403)
