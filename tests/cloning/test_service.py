"""
Tests for L{txlb.cloning._service}, L{txlb.cloning._reactor} and
L{txlb.cloning._inherited}.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from typing import Any
from unittest import mock

from twisted.application.internet import StreamServerEndpointService, TCPServer, UNIXServer
from twisted.application.service import (
    Application,
    IService,
    IServiceCollection,
    MultiService,
    Service,
)
from twisted.internet.endpoints import TCP4ServerEndpoint, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from tests.cloning.inside import EchoFactory, OneProcessRendezvous, Reactor
from tests.proxy.fakes import takesIPv6
from txlb.cloning import (
    CloneGroup,
    CloneSettings,
    ClonesOnly,
    CloningError,
    CloningService,
    ManagerOnly,
    cloneApplication,
)
from txlb.cloning import _groups as registry
from txlb.cloning import _service as module
from txlb.cloning._groups import begin, groupAt
from txlb.cloning._identity import ENVIRONMENT, Birth
from txlb.cloning._inherited import Inherited
from txlb.cloning._link import Link
from txlb.cloning._manager import CloneManager
from txlb.cloning._ownhosts import SERVICE
from txlb.cloning._reactor import SharingReactor
from txlb.cloning._rendezvous import Rendezvous
from txlb.cloning._sharing import Sharing
from txlb.model import ProxyHost


class FolderTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="txlb-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.reactor: Any = Reactor()
        self.addCleanup(self.reactor.close)
        self.patch(module, "pickedReactor", lambda: self.reactor)
        self.patch(registry, "_groups", {})
        self.place = os.path.join(self.folder, "run")


class ServiceTests(FolderTestCase):
    def service(self, endpoint: str = "tcp:0:interface=127.0.0.1", **more: Any) -> CloningService:
        more = {"processes": 1, "folder": self.place, "graceTime": 0, **more}
        service = CloningService(endpoint, EchoFactory(b"x"), **more)
        self.addCleanup(self.stop, service)
        return service

    def stop(self, service: CloningService) -> None:
        done = service.stopService()
        for _ in range(20):
            self.reactor.now += 0.5
            self.reactor.turn(2)
        self.successResultOf(done)

    def test_listens(self) -> None:
        service = self.service()
        service.privilegedStartService()
        service.privilegedStartService()
        assert service.port is not None
        port: Any = service.port.getHost()
        self.assertEqual(port.host, "127.0.0.1")
        socket.create_connection(("127.0.0.1", port.port), 5).close()

    def test_defaultFolder(self) -> None:
        """
        The folder is named after the application.
        """
        application = Application("shop")
        service = self.service(folder=None)
        service.setServiceParent(application)
        before = os.getcwd()
        os.chdir(self.folder)
        try:
            service.privilegedStartService()
        finally:
            os.chdir(before)
        self.assertEqual(list(registry._groups), [os.path.join(self.folder, "run", "shop")])

    def test_noName(self) -> None:
        service = self.service(folder=None)
        service.setServiceParent(MultiService())
        service.privilegedStartService()
        [folder] = registry._groups
        self.assertEqual(os.path.basename(folder), "application")

    def test_together(self) -> None:
        """
        Services with one folder have the same clones, and must agree on them.
        """
        first, second = self.service(), self.service()
        first.privilegedStartService()
        second.privilegedStartService()
        [group] = registry._groups.values()
        names = [each.name for each in group._listeners]
        self.assertEqual(names, ["tcp-127.0.0.1-0", "tcp-127.0.0.1-0-2"])
        third = self.service(processes=2)
        with self.assertRaisesRegex(CloningError, "the same processes, graceTime and standby"):
            third.privilegedStartService()

    def test_ownSettings(self) -> None:
        """
        Each of them has a policy and a limit of its own.
        """
        for number, scheduler in ((None, "leastc"), (7, "roundr")):
            self.service(scheduler=scheduler, maxConnections=number).privilegedStartService()
        [group] = registry._groups.values()
        listeners = group._listeners
        self.assertEqual([each.settings.maxConnections for each in listeners], [None, 7])
        manager = CloneManager(
            mock.Mock(), listeners, group.settings, mock.Mock(), 0, self.reactor, lambda: 0.0
        )
        pools = [manager.pools.getPool(SERVICE, each.name) for each in listeners]
        self.assertEqual([each.scheduler.name for each in pools], ["leastc", "roundr"])
        manager.stop()

    def test_wrong(self) -> None:
        with self.assertRaisesRegex(CloningError, "graceTime"):
            self.service(graceTime=-1)
        with self.assertRaisesRegex(CloningError, "processes"):
            self.service(processes=0)

    def test_taken(self) -> None:
        """
        An address that another program listens on is an error.
        """
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            service = self.service(f"tcp:{port}:interface=127.0.0.1")
            self.assertRaises(CannotListenError, service.privilegedStartService)

    def test_started(self) -> None:
        service = self.service()
        spawned: list[Any] = []

        def spawn(*arguments: Any, **_: Any) -> FakePID:
            spawned.append(arguments)
            return FakePID()

        self.patch(self.reactor, "spawnProcess", spawn)
        service.startService()
        self.reactor.turn(5)
        self.assertEqual(len(spawned), 1)


class FakePID:
    pid = 1


class ApplicationTests(FolderTestCase):
    def test_existing(self) -> None:
        """
        The services of an application that exists listen with shared sockets.
        """
        application = Application("old")
        inner = MultiService()
        inner.setServiceParent(application)
        TCPServer(0, EchoFactory(b"a"), interface="127.0.0.1").setServiceParent(inner)
        UNIXServer(os.path.join(self.folder, "socket"), EchoFactory(b"b")).setServiceParent(
            application
        )
        endpoint = TCP4ServerEndpoint(self.reactor, 0, interface="127.0.0.1")
        StreamServerEndpointService(endpoint, EchoFactory(b"c")).setServiceParent(application)
        Service().setServiceParent(application)
        cloneApplication(application, processes=2, folder=self.place)
        IService(application).privilegedStartService()
        [group] = registry._groups.values()
        self.assertEqual(
            sorted(each.name for each in group._listeners),
            ["tcp-127.0.0.1-0", "tcp-127.0.0.1-0-2", "unix-socket"],
        )
        for listener in group._listeners:
            listener.close()

    def test_nothing(self) -> None:
        application = Application("empty")
        Service().setServiceParent(application)
        with self.assertRaisesRegex(CloningError, "nothing"):
            cloneApplication(application, folder=self.place)

    def test_hosts(self) -> None:
        """
        Hosts beside the clones, if it is clear whose connections they get.
        """
        hosts = [ProxyHost.at("east", "192.0.2.1:80")]
        application = Application("one")
        TCPServer(0, EchoFactory(b"x"), interface="127.0.0.1").setServiceParent(application)
        cloneApplication(application, processes=1, folder=self.place, hosts=hosts)
        [cloning, _] = list(IServiceCollection(application))
        [host] = cloning._listenerSettings.group.hosts
        self.assertEqual(host.name, "east")
        TCPServer(0, EchoFactory(b"y"), interface="127.0.0.1").setServiceParent(application)
        with self.assertRaisesRegex(CloningError, "listens 2 times, and hosts does not say whose"):
            cloneApplication(application, processes=1, folder=self.place, hosts=hosts)


class OnlyTests(FolderTestCase):
    """
    Services that run in some of the processes.
    """

    def setUp(self) -> None:
        super().setUp()
        self.group = groupAt(self.place, CloneSettings(1))

    def only(self, kind: Any) -> Any:
        service = kind(Counting(), self.place)
        service.startService()
        self.addCleanup(lambda: service.running and self.successResultOf(service.stopService()))
        return service.service

    def become(self, manager: Any, clone: Any) -> None:
        self.group.manager, self.group.clone = manager, clone
        self.group._tell()

    def test_roles(self) -> None:
        manager, clones = self.only(ManagerOnly), self.only(ClonesOnly)
        clone = mock.Mock(started=True)
        self.assertEqual((manager.running, clones.running), (0, 0))
        self.become(mock.Mock(), None)
        self.assertEqual((manager.running, clones.running), (1, 0))
        self.become(None, clone)
        self.assertEqual((manager.running, clones.running), (0, 1))
        # A clone that manages for a while.
        self.become(mock.Mock(), clone)
        self.assertEqual((manager.running, clones.running), (0, 1))
        self.become(None, None)
        self.assertEqual((manager.running, clones.running), (0, 0))

    def test_stopped(self) -> None:
        """
        A service that was stopped follows no role any more.
        """
        service = ManagerOnly(Counting(), self.place)
        service.startService()
        self.become(mock.Mock(), None)
        self.successResultOf(service.stopService())
        self.become(None, None)
        self.become(mock.Mock(), None)
        self.assertEqual((service.service.running, service.service.started), (0, 1))

    def test_badStop(self) -> None:
        """
        A service that can't be stopped is told of in the log.
        """
        inner = self.only(ManagerOnly)
        inner.error = ValueError("it does not stop")
        self.become(mock.Mock(), None)
        self.become(None, None)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_notCloned(self) -> None:
        service = ManagerOnly(Counting(), os.path.join(self.folder, "other"))
        with self.assertRaisesRegex(CloningError, "no CloningService"):
            service.startService()


class Counting(Service):
    """
    Counts how often it runs.
    """

    running = 0
    started = 0
    error: Exception | None = None

    def startService(self) -> None:
        self.running += 1
        self.started += 1

    def stopService(self) -> None:
        self.running -= 1
        if self.error is not None:
            raise self.error


class EndpointTests(FolderTestCase):
    def endpoint(self, description: str) -> Any:
        return serverFromString(self.reactor, description)

    def test_listens(self) -> None:
        """
        Any endpoint can be cloned by its description.
        """
        endpoint = self.endpoint(
            f"clone:2:tcp\\:0\\:interface\\=127.0.0.1:scheduler=rand:graceTime=0:folder={self.place}"
        )
        spawned: list[Any] = []
        self.patch(self.reactor, "spawnProcess", mock.Mock(side_effect=spawned.append))
        port = self.successResultOf(endpoint.listen(EchoFactory(b"x")))
        port.startListening()
        self.assertEqual(port.getHost().host, "127.0.0.1")
        group = registry._groups[self.place]
        self.assertEqual(group.settings, CloneSettings(2, 0.0))
        done = port.stopListening()
        for _ in range(10):
            self.reactor.now += 1
            self.reactor.turn(2)
        self.successResultOf(done)
        self.assertEqual(registry._groups, {})

    def test_defaults(self) -> None:
        before = os.getcwd()
        os.chdir(self.folder)
        try:
            endpoint = self.endpoint("clone:auto:tcp\\:8080:maxConnections=5")
        finally:
            os.chdir(before)
        self.assertEqual(endpoint.folder, os.path.join(self.folder, "run", "tcp-8080"))
        self.assertEqual(endpoint._listenerSettings.maxConnections, 5)
        # A process is one of one application.
        groupAt(self.place, CloneSettings(1))
        self.assertEqual(endpoint.folder, self.place)
        with self.assertRaisesRegex(CloningError, f"one of {self.place} already.*same folder"):
            groupAt(self.place + "2", CloneSettings(1))

    def test_beside(self) -> None:
        """
        Hosts beside the clones, and the way of sharing.
        """
        words = "hosts=192.0.2.1\\:80,[2001\\:db8\\:\\:1]\\:80"
        endpoint = self.endpoint(f"clone:2:tcp\\:0:{words}")
        hosts = endpoint._listenerSettings.group.hosts
        self.assertEqual([each.name for each in hosts], ["192.0.2.1:80", "[2001:db8::1]:80"])
        endpoint = self.endpoint("clone:2:tcp\\:0:sharing=reuseport")
        self.assertIs(endpoint._listenerSettings.sharing, Sharing.REUSEPORT)

    def test_wrong(self) -> None:
        for wrong in (
            "many:tcp\\:1",
            "0:tcp\\:1",
            "1:tcp\\:1:graceTime=x",
            "1:tcp\\:1:slowStart=x",
            "1:tcp\\:1:maxConnections=0",
            "1:tcp\\:1:hosts=nowhere",
            "1:tcp\\:1:sharing=no",
            "1:tcp\\:1:sharing=queue:hosts=192.0.2.1\\:80",
        ):
            self.assertRaises(CloningError, self.endpoint, f"clone:{wrong}")

    def test_notShared(self) -> None:
        """
        An endpoint of another kind, or of none, is an error; so is an address in use, as
        it is of other endpoints.
        """
        for inner in ("stdio\\:", "nope\\:1"):
            endpoint = self.endpoint(f"clone:1:{inner}:folder={self.place}")
            self.assertRaises(CloningError, endpoint.listen, EchoFactory(b"x"))
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            number = taken.getsockname()[1]
            inner = f"tcp\\:{number}\\:interface\\=127.0.0.1"
            endpoint = self.endpoint(f"clone:1:{inner}:folder={self.place}")
            self.failureResultOf(endpoint.listen(EchoFactory(b"x")), CannotListenError)

    def test_badFolder(self) -> None:
        """
        A folder that can't be used ends the program with one line.
        """
        os.makedirs(self.place)
        os.chmod(self.place, 0o755)
        group = groupAt(self.place, CloneSettings(1))
        group._inherited = Inherited(self.place, None)
        group._reactor = self.reactor
        with self.assertRaisesRegex(SystemExit, "txlb: others can enter folder"):
            begin(group)


class SharingTests(FolderTestCase):
    def setUp(self) -> None:
        super().setUp()
        settings = CloneSettings(1, graceTime=0)
        self.group = CloneGroup(self.place, settings, makeRendezvous=OneProcessRendezvous)
        self.sharing = SharingReactor(self.reactor, self.group)
        self.factory = Factory.forProtocol(Protocol)
        self.addCleanup(self.closeAll)

    def closeAll(self) -> None:
        for listener in self.group._listeners:
            listener.close()

    def test_rest(self) -> None:
        """
        All else is the reactor's.
        """
        self.assertEqual(self.sharing.seconds(), self.reactor.now)

    def test_UNIX(self) -> None:
        """
        A UNIX socket is this user's alone unless a mode is given; a file that a dead
        process left is replaced; that of a living one is not, nor is a file of another kind.
        """
        path = os.path.join(self.folder, "socket")
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(path)
        port = self.sharing.listenUNIX(path, self.factory)
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(port.getHost().name, path.encode())
        self.assertRaises(CannotListenError, self.sharing.listenUNIX, path, self.factory)
        file = os.path.join(self.folder, "file")
        with open(file, "w", encoding="ascii") as text:
            text.write("mine")
        with self.assertRaisesRegex(CannotListenError, "no socket"):
            self.sharing.listenUNIX(file, self.factory)
        with open(file, encoding="ascii") as text:
            self.assertEqual(text.read(), "mine")
        other = os.path.join(self.folder, "other")
        self.sharing.listenUNIX(other, self.factory, mode=0o666)
        self.assertEqual(stat.S_IMODE(os.stat(other).st_mode), 0o666)

    def test_IPv6(self) -> None:
        if not takesIPv6():
            return
        port = self.sharing.listenTCP(0, self.factory, interface="::1")
        self.assertEqual(port.getHost().host, "::1")

    def test_TLS(self) -> None:
        options = CertificateOptions()
        port = self.sharing.listenSSL(0, self.factory, options, interface="127.0.0.1")
        self.assertIsInstance(port.listener.factory, TLSMemoryBIOFactory)

    def test_adopted(self) -> None:
        """
        A socket that listens already is shared, as those of systemd are.
        """
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            sock.listen()
            number = sock.getsockname()[1]
            port = self.sharing.adoptStreamPort(sock.fileno(), socket.AF_INET, self.factory)
        port.startListening()
        self.assertEqual(port.getHost().port, number)
        self.successResultOf(port.stopListening())

    def test_late(self) -> None:
        self.group._began = True
        with self.assertRaisesRegex(CloningError, "before"):
            self.sharing.listenTCP(0, self.factory)


class InheritedTests(FolderTestCase):
    def test_born(self) -> None:
        """
        A process that the manager started has the sockets already.
        """
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            sock.listen()
            name = sock.getsockname()
            numbers = {"web": os.dup(sock.fileno()), "unused": os.dup(sock.fileno())}
        inherited = Inherited(self.place, Birth(self.place, 0, 0, False, dict(numbers)))
        inherited.ask(self.reactor)
        found = inherited.take("web", self.fail)
        self.addCleanup(found.close)
        self.assertEqual((found.getsockname(), found.getblocking()), (name, False))
        self.assertFalse(found.get_inheritable())
        inherited.closeUnused()
        self.assertRaises(OSError, os.fstat, numbers["unused"])

    def test_noAnswer(self) -> None:
        """
        A manager that does not answer, or refuses, is an error.
        """
        rendezvous = Rendezvous(self.place)
        self.addCleanup(rendezvous.close)
        listener = rendezvous.listen()
        self.addCleanup(listener.close)
        self.patch(Link, "receive", mock.Mock(side_effect=TimeoutError("timed out")))
        inherited = Inherited(self.place, None)
        with self.assertRaisesRegex(CloningError, "gives no listening sockets: timed out"):
            inherited.ask(self.reactor)

    def test_errors(self) -> None:
        """
        A process that has started writes to the standard error of the application.
        """
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        copied: list[tuple[int, int]] = []
        self.patch(os, "dup2", lambda *pair: copied.append(pair))
        inherited = Inherited(self.place, Birth(self.place, 0, 0, False, {}, write))
        inherited.started()
        inherited.started()
        self.assertEqual(copied, [(write, 2)])
        self.assertRaises(OSError, os.fstat, write)

    def test_otherApplication(self) -> None:
        inherited = Inherited(self.place, None)
        inherited.check(("tcp-80",))
        inherited._names = ("tcp-81",)
        with self.assertRaisesRegex(CloningError, "a folder of its own"):
            inherited.check(("tcp-80",))

    def test_first(self) -> None:
        """
        The first process makes the sockets, and removes the files of those of UNIX.
        """
        inherited = Inherited(self.place, None)
        inherited.ask(self.reactor)
        path = os.path.join(self.folder, "socket")

        def make() -> socket.socket:
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(path)
            return sock

        sock = inherited.take("unix-socket", make)
        self.addCleanup(sock.close)
        inherited.close(own=False)
        self.assertTrue(os.path.exists(path))
        inherited.close(own=True)
        self.assertFalse(os.path.exists(path))

    def test_environment(self) -> None:
        self.assertIsNone(Birth.take({}))
        birth = Birth("/run/x", 1, 2, True, {"web": 3})
        self.assertEqual(Birth.take({ENVIRONMENT: birth.write()}), birth)
