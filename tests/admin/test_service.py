"""
Tests for L{txlb.admin._service} and L{txlb.admin._running}.
"""

from __future__ import annotations

import os
import queue
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import argon2
from twisted.application.service import IService, MultiService
from twisted.internet.address import IPv4Address
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.admin.client import Link
from tests.admin.fakes import collectLog, fakeBalancer, lines, quickHash
from txlb.admin import DEFAULT_LISTEN, AdminUser, ManholeService, manholeService
from txlb.admin._factory import ManholeFactory
from txlb.errors import AddressError, DuplicateName, ListenError, StateDirectoryError
from txlb.model import ProxyService, TCPAddress, UNIXAddress
from txlb.proxy import _inherited
from txlb.proxy._inherited import InheritedSockets

USERS = [AdminUser("anna", quickHash("secret")), AdminUser("olga", "..xpoEyRReGzk")]


class FakeReactor(MemoryReactorClock):
    """
    Adopts connections, and runs what other threads ask for when it is told to.
    """

    def __init__(self) -> None:
        super().__init__()
        self.factories: list[ManholeFactory] = []
        self._calls: queue.Queue[tuple[Callable[..., object], tuple[object, ...]]] = queue.Queue()

    def callFromThread(self, function: Callable[..., object], *arguments: object) -> None:
        self._calls.put((function, arguments))

    def runFromThread(self) -> None:
        """
        Run what a thread asks for, once it does.
        """
        function, arguments = self._calls.get(timeout=60)
        function(*arguments)

    def adoptStreamConnection(self, fd: int, family: int, factory: Any) -> None:
        self.factories.append(factory)

    def readable(self) -> None:
        """
        Everything that is watched for reading gets one turn.
        """
        for reader in self.getReaders():
            reader.doRead()


class FakeConfiguration:
    path = "/etc/txlb.xml"

    def changes(self, services: Iterable[ProxyService]) -> list[str]:
        return [f"service {service.name} is not as it was" for service in services]


class ServiceTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.balancer = fakeBalancer()
        self.reactor = FakeReactor()
        self.events = collectLog(self)

    def make(self, listen: object = "127.0.0.1:0", config: Any = None) -> ManholeService:
        service = manholeService(
            self.balancer,
            listen,
            USERS,
            stateDirectory=str(self.directory),
            config=config,
            reactor=self.reactor,
        )
        self.addCleanup(service.stopService)
        return service

    def start(self, service: ManholeService) -> None:
        service.privilegedStartService()
        service.startService()

    def stop(self, service: ManholeService) -> None:
        self.assertIsNone(self.successResultOf(service.stopService()))


def canConnect(service: ManholeService) -> bool:
    (address,) = service.addresses
    assert isinstance(address, TCPAddress)
    with socket.socket() as sock:
        return sock.connect_ex((address.host, address.port)) == 0


class MakingTests(ServiceTestCase):
    def test_service(self) -> None:
        service = self.make()
        verifyObject(IService, service)
        parent = MultiService()
        service.setServiceParent(parent)
        self.assertEqual(list(parent), [service])

    def test_loopbackUnlessTold(self) -> None:
        self.assertEqual(DEFAULT_LISTEN, "127.0.0.1:2222")
        self.assertEqual(manholeService(self.balancer)._listen, TCPAddress("127.0.0.1", 2222))

    def test_errors(self) -> None:
        self.assertRaises(AddressError, manholeService, self.balancer, "2222")
        self.assertRaises(DuplicateName, manholeService, self.balancer, ":0", [USERS[0]] * 2)


class BindTests(ServiceTestCase):
    def test_bind(self) -> None:
        service = self.make()
        self.assertEqual(service.addresses, ())
        service.bind()
        (address,) = service.addresses
        assert isinstance(address, TCPAddress)
        self.assertNotEqual(address.port, 0)
        service.bind()
        self.assertEqual(service.addresses, (address,))
        self.assertTrue(canConnect(service))
        self.assertEqual(self.reactor.getReaders(), [])

    def test_taken(self) -> None:
        first = self.make()
        first.bind()
        service = self.make(first.addresses[0])
        error = self.assertRaises(ListenError, service.bind)
        self.assertIn(str(first.addresses[0]), str(error))
        self.assertRaises(ListenError, service.privilegedStartService)
        self.assertFalse(service.running)
        self.stop(first)
        service.bind()

    def test_stopWithoutStart(self) -> None:
        service = self.make()
        service.bind()
        address = service.addresses[0]
        self.stop(service)
        self.assertEqual(service.addresses, ())
        self.make(address).bind()


class HostKeyTests(ServiceTestCase):
    def test_kept(self) -> None:
        service = self.make()
        key = service.loadHostKey()
        self.assertIs(service.loadHostKey(), key)
        self.assertEqual(self.make().fingerprint, service.fingerprint)
        path = self.directory / "ssh_host_ed25519_key"
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)

    def test_refused(self) -> None:
        self.directory.mkdir()
        self.directory.chmod(0o777)
        service = self.make()
        self.assertRaises(StateDirectoryError, service.loadHostKey)
        self.assertRaises(StateDirectoryError, service.startService)
        self.assertFalse(service.running)


class LifeTests(ServiceTestCase):
    def test_start(self) -> None:
        service = self.make()
        self.start(service)
        self.assertTrue(service.running)
        self.assertEqual(len(self.reactor.getReaders()), 1)
        self.assertTrue(canConnect(service))
        warning, started = lines(self.events)
        self.assertIn("'olga'", warning)
        self.assertIn("txlb passwd", warning)
        self.assertIn(f"listens on {service.addresses[0]}", started)
        self.assertIn(service.fingerprint, started)

    def test_setUsers(self) -> None:
        """
        Others may log in, live. The time that a check takes is theirs, and what
        is wrong with them is told.
        """
        service = self.make()
        service.setUsers([AdminUser("early")])
        self.assertEqual([user.name for user in service.logins.users], ["early"])
        self.start(service)
        running = service._running
        assert running is not None
        slow = argon2.PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash("x")
        service.setUsers([AdminUser("slow", slow)])
        self.assertEqual(service.logins._checks._model, slow)
        self.assertEqual([user.name for user in service.logins.users], ["slow"])
        self.assertRaises(DuplicateName, service.setUsers, [USERS[0], USERS[0]])
        self.assertEqual([user.name for user in service.logins.users], ["slow"])

    def test_startWithoutPrivilegedStart(self) -> None:
        service = self.make()
        service.startService()
        self.assertTrue(canConnect(service))

    def test_again(self) -> None:
        service = self.make()
        for _ in range(2):
            self.start(service)
            address = service.addresses[0]
            self.stop(service)
            self.assertFalse(service.running)
            self.assertEqual(service.addresses, ())
        self.make(address).bind()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_everyInterface(self) -> None:
        service = self.make("*:0")
        self.start(service)
        self.assertEqual(len(self.reactor.getReaders()), len(service.addresses))
        self.assertEqual(len({str(a).rpartition(":")[2] for a in service.addresses}), 1)

    def test_accepts(self) -> None:
        service = self.make()
        self.start(service)
        self.assertTrue(canConnect(service))
        self.reactor.readable()
        self.reactor.advance(0)
        running = service._running
        assert running is not None
        self.assertEqual(self.reactor.factories, [running.factory])

    def test_unixSocketIsForItsOwner(self) -> None:
        """
        A port of Twisted's would open it to everybody.
        """
        path = self.socketPath()
        service = self.make(f"unix:{path}")
        self.start(service)
        self.assertEqual(service.addresses, (UNIXAddress(path),))
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(len(self.reactor.getReaders()), 1)
        self.stop(service)
        self.assertFalse(os.path.exists(path))
        self.assertEqual(self.reactor.getReaders(), [])

    def socketPath(self) -> str:
        self.directory.mkdir(0o700)
        return os.path.relpath(self.directory / "s")

    def test_unixSocketOfAnother(self) -> None:
        """
        The socket of a program that listens there now stays, whether or not the service had
        started.
        """
        path = self.socketPath()
        for starts in (False, True):
            service = self.make(f"unix:{path}")
            service.bind()
            if starts:
                self.start(service)
            os.unlink(path)
            with socket.socket(socket.AF_UNIX) as other:
                other.bind(path)
                other.listen()
                self.stop(service)
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(path)
            os.unlink(path)
        service = self.make(f"unix:{path}")
        service.bind()
        self.stop(service)
        self.assertFalse(os.path.exists(path))

    def test_unixSocketInherited(self) -> None:
        """
        Systemd's socket keeps its mode and its file, and its clients can connect afterwards: a
        port of Twisted's would change, remove, and shut down each.
        """
        path = self.socketPath()
        with socket.socket(socket.AF_UNIX) as given:
            given.bind(path)
            given.listen()
            os.chmod(path, 0o660)
            found = InheritedSockets([("ssh", os.dup(given.fileno()))])
            self.addCleanup(found.close)
            self.patch(_inherited, "_inherited", found)
            service = self.make("systemd:ssh")
            self.start(service)
            self.assertEqual(len(self.reactor.getReaders()), 1)
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o660)
            self.stop(service)
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o660)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)


class SessionTests(ServiceTestCase):
    def login(self, service: ManholeService) -> Link:
        """
        Log in, with the password checked in a thread.
        """
        self.start(service)
        assert service._running is not None
        factory = service._running.factory
        peer = IPv4Address("TCP", "192.0.2.1", 4321)
        server = factory.buildProtocol(peer)
        # The reactor's time is not the one by which the manhole goes.
        factory.deadlines.seconds = factory.startups._seconds = self.reactor.seconds
        factory.work._earliest = factory.work._counted = 0.0
        link = Link(server, peer, self.reactor)
        link.login()
        self.assertIsNone(server.user)
        self.reactor.runFromThread()
        self.assertIsNotNone(server.user)
        # Else a process that was not stopped as it should could not end.
        assert service.logins._pool is not None
        self.assertEqual([thread.daemon for thread in service.logins._pool.threads], [True])
        link.pump()
        return link

    def run_(self, link: Link, command: bytes) -> str:
        channel = link.open()
        link.request(channel, b"shell")
        link.type(channel, command + b"\n")
        self.assertEqual(channel.errors, b"")
        return channel.output.decode()

    def test_names(self) -> None:
        config = FakeConfiguration()
        link = self.login(self.make(config=config))
        namespace = {
            "services": self.balancer,
            "manager": self.balancer.manager,
            "config": config,
        }
        for name, value in namespace.items():
            self.assertEqual(self.run_(link, name.encode()), f"{value!r}\n")

    def test_status(self) -> None:
        link = self.login(self.make())
        table = self.run_(link, b"status()")
        self.assertIn("service web: 0 active", table)
        self.assertTrue(
            table.endswith(
                "no configuration file: what is changed lasts until the end of the process\n"
            )
        )

    def test_statusWithAFile(self) -> None:
        link = self.login(self.make(config=FakeConfiguration()))
        table = self.run_(link, b"status()")
        self.assertIn("not in /etc/txlb.xml:\n  service web is not as it was\n", table)

    def test_explain(self) -> None:
        link = self.login(self.make())
        for arguments in ("'web'", "'web', None, '192.0.2.1'"):
            table = self.run_(link, f"explain({arguments})".encode())
            self.assertIn("web/", table)
            self.assertIn("  host", table)

    def test_stop(self) -> None:
        service = self.make()
        link = self.login(service)
        stopped = service.stopService()
        self.assertNoResult(stopped)
        self.assertTrue(link.serverEnd.disconnecting)
        link.lose()
        self.assertIsNone(self.successResultOf(stopped))


class ReactorTests(SynchronousTestCase):
    def test_notAtImport(self) -> None:
        """
        Who imports the package can still choose a reactor.
        """
        code = (
            "import sys, txlb.admin as a\n"
            "from tests.admin.fakes import fakeBalancer\n"
            "a.manholeService(fakeBalancer(), '127.0.0.1:0').bind()\n"
            "assert 'twisted.internet.reactor' not in sys.modules\n"
        )
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        subprocess.run([sys.executable, "-c", code], env=environ, check=True, timeout=60)
