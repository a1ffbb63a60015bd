"""
Tests for L{txlb.admin.web._service}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.admin.targets import FakeBalancer
from tests.admin.web.asking import USERS
from tests.fired import fired
from txlb.admin import WebService, webService
from txlb.errors import ListenError, ModelError


class PortReactor(MemoryReactorClock):
    """
    A reactor that takes listening sockets.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ports: list[Any] = []

    def adoptStreamPort(self, descriptor: int, family: int, factory: Any) -> Any:
        port = FakePort(factory)
        self.ports.append(port)
        return port


class FakePort:
    stopped = False

    def __init__(self, factory: Any) -> None:
        self.factory = factory

    def stopListening(self) -> None:
        self.stopped = True


class ServiceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = PortReactor()
        self.balancer = FakeBalancer()

    def service(self, listen: str = "127.0.0.1:0", **more: Any) -> WebService:
        made = webService(self.balancer, listen, USERS, reactor=self.reactor, **more)
        self.addCleanup(lambda: fired(made.stopService()))
        return made

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

    def test_otherUsers(self) -> None:
        self.service()
        self.assertRaises(ModelError, webService, self.balancer, users=USERS[:1])
