"""
Tests for L{txlb.cloning._fleet} and L{txlb.cloning._adopting}: the clones of a group of a
balancer, in one process.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from typing import Any
from unittest import mock

from twisted.application.internet import StreamServerEndpointService, TCPServer, UNIXServer
from twisted.application.service import Application, MultiService
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SynchronousTestCase

from tests.cloning.inside import EchoFactory, InsideTestCase, OneProcessRendezvous
from txlb.cloning import (
    BalancedClone,
    CloneGroup,
    CloningError,
    CloningService,
    Fleet,
    FleetPlace,
    Identity,
    InheritedSockets,
    PassedClient,
    balancedClone,
)
from txlb.cloning import _adopting as adopting
from txlb.cloning import _groups as registry
from txlb.cloning._adopting import AdoptingReactor
from txlb.cloning._fleet import HAND_OVER, REUNION
from txlb.cloning._identity import ENVIRONMENT, Birth, Told
from txlb.cloning._listenersettings import ListenerSettings
from txlb.manager import ProxyManager
from txlb.model import CloneSet, ProxyGroup, ProxyHost, ProxyService
from txlb.pool import Lease, Outcome

NAME = "127.0.0.1:8080#0"

TAC = """
from twisted.application.internet import TCPServer
from twisted.application.service import Application
from twisted.internet.protocol import Factory

application = Application("app")
TCPServer(1, Factory()).setServiceParent(application)
"""


class FleetTestCase(InsideTestCase):
    hosts: tuple[ProxyHost, ...] = ()
    passed: frozenset[str] = frozenset()

    def setUp(self) -> None:
        super().setUp()
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.sock.close)
        self.port = self.sock.getsockname()[1]
        group = ProxyGroup(
            "app", enabled=True, hosts=self.hosts, clones=CloneSet("app.tac", 2, graceTime=5.0)
        )
        self.manager = ProxyManager(
            [ProxyService("web", ["127.0.0.1:8080"], [group])], seconds=lambda: self.reactor.now
        )
        self.taken: list[tuple[int, Any, Lease]] = []

    def fleet(self, heir: bool = False, log: str = "") -> Fleet:
        fleet = Fleet(
            FleetPlace(self.folder, "web", "app", "/app.tac", heir, log, passed=self.passed),
            [(NAME, self.sock)],
            self.manager,
            self.take,
            self.reactor,
            lambda: self.reactor.now,
            OneProcessRendezvous,
            lambda reactor, _command: self.makeSpawner(reactor),
        )
        self.addCleanup(self.stop, fleet)
        return fleet

    def take(self, number: int, fd: int, peer: Any, lease: Lease) -> None:
        self.taken.append((number, peer, lease))
        os.close(fd)

    def stop(self, fleet: Fleet) -> None:
        self.starts = False
        fleet.stop()
        self.pass_(10.0, 50)

    def clone(self, birth: Birth, sockets: dict[str, int]) -> CloneGroup:
        """
        Begin a clone that the balancer starts.
        """
        number = len(self.groups)
        group = CloneGroup(
            self.folder,
            self.settings,
            Identity(),
            lambda: self.reactor.now,
            OneProcessRendezvous,
            self.makeSpawner,
        )
        self.groups.append(group)
        told = Birth(
            birth.folder, birth.slot, birth.generation, birth.heir, sockets, told=birth.told
        )
        with mock.patch.dict(os.environ, {ENVIRONMENT: told.write()}):
            adopting: Any = AdoptingReactor(
                self.reactor,
                group,
                ListenerSettings.of(),
                list(sockets),
                True,
                frozenset(birth.told.settings["passed"]),
            )
            adopting.listenTCP(1, EchoFactory(b"%d" % number))
        group.arrange(list(sockets))
        group.start()
        return group

    def set(self, **changes: Any) -> None:
        clones = self.manager.getGroup("web", "app").clones
        assert clones is not None
        settings = {each: getattr(clones, each) for each in ("tac", "processes", "graceTime")}
        self.manager.setGroup("web", "app", clones=CloneSet(**{**settings, **changes}))

    @property
    def names(self) -> list[str]:
        return [host.name for host in self.manager.getGroup("web", "app").hosts]

    def begin(self) -> Fleet:
        fleet = self.fleet()
        fleet.start()
        self.until(lambda: {"clone0", "clone1"} <= set(self.names))
        self.reactor.turn(5)
        return fleet


class ReadsFirstTests(FleetTestCase):
    """
    The balancer accepts, reads what clients send first, and passes that on.
    """

    passed = frozenset({NAME})

    def come(self, fleet: Fleet, first: bytes) -> tuple[bool, socket.socket]:
        """
        Connect, and let the balancer accept.

        @return: whether the connection was taken, and the client's end.
        """
        client = self.connect()
        sock, peer = self.sock.accept()
        passed = PassedClient(sock.detach(), peer, peer, ("192.0.2.7", 9), None, first)
        taken = fleet.passOn("127.0.0.1:8080", passed)
        if not taken:
            os.close(passed.fd)
        return taken, client

    def test_passed(self) -> None:
        """
        Clones get connections by turns, with what was read of them; they accept none.
        """
        fleet = self.begin()
        self.assertIn("reads what clients send first", fleet.whyPassed or "")
        clients = [self.come(fleet, b"hello")[1] for _ in range(4)]
        answers = Counter(self.until_(each) for each in clients)
        self.assertEqual(answers, {b"0hello": 2, b"1hello": 2})
        for group in self.groups:
            [listener] = group._listeners
            self.assertNotIn(listener, self.reactor.getReaders())
            peers = {each.getPeer().host for each in listener.connections}
            self.assertEqual(peers, {"192.0.2.7"})

    def until_(self, client: socket.socket) -> bytes:
        """
        Read six bytes.
        """
        data = b""
        while len(data) < 6:
            data += self.answer(client)
        return data

    def test_waits(self) -> None:
        """
        Connections that wait for a clone with room have one after the group has changed. Before
        there is a manager none is taken.
        """
        fleet = self.fleet()
        self.assertFalse(self.come(fleet, b"")[0])
        fleet = self.begin()
        self.manager.drain("web", "app", "clone0")
        self.manager.drain("web", "app", "clone1")
        taken, client = self.come(fleet, b"hello")
        self.assertTrue(taken)
        self.pass_(1.0)
        self.set(maxConnections=5)
        fleet.follow()
        self.manager.ready("web", "app", "clone0")
        self.assertEqual(self.until_(client), b"0hello")

    def test_waitsInUpgrade(self) -> None:
        """
        Connections that wait for a clone are closed if the next process manages: it knows nothing
        of them.
        """
        fleet = self.begin()
        self.manager.drain("web", "app", "clone0")
        self.manager.drain("web", "app", "clone1")
        taken, client = self.come(fleet, b"hello")
        self.assertTrue(taken)
        done = fleet.letGo()
        self.fleet().start()
        self.until(lambda: bool(done.called))
        self.assertEqual(self.answer(client), b"")


class UpgradeTests(FleetTestCase):
    """
    The next process of a balancer comes for the clones.
    """

    def test_handedOver(self) -> None:
        """
        The next process manages the clones that are there, and their connections go on.
        """
        fleet = self.begin()
        client = self.connect()
        self.answer(client)
        done = fleet.letGo()
        self.assertFalse(fleet.isRolling)
        # Until then this one manages.
        self.assertIn(self.answer(self.connect()), {b"0", b"1"})
        self.pass_(1.0)
        self.assertNoResult(done)
        following = self.fleet()
        following.start()
        self.until(lambda: bool(done.called))
        self.until(lambda: following.manager is not None and len(following.manager.clones) == 2)
        self.pass_(2 * REUNION)
        self.assertEqual(len(self.spawned), 2)
        client.send(b"ping")
        self.assertEqual(self.answer(client), b"ping")
        self.assertIn(self.answer(self.connect()), {b"0", b"1"})
        self.assertIs(fleet.stop(), done)

    def test_noneComes(self) -> None:
        """
        If the next process does not want the clones, they finish what they have.
        """
        fleet = self.begin()
        manager = fleet.manager
        assert manager is not None
        done = fleet.letGo()
        self.pass_(HAND_OVER - 0.5)
        self.assertNoResult(done)
        self.assertEqual(len(manager.clones), 2)
        self.pass_(8.0)
        self.assertTrue(done.called)
        self.assertEqual(self.names, [])
        # An heir that comes later is not for it.
        self.assertFalse(manager.isListening)

    def test_notManaging(self) -> None:
        """
        A process that has not begun to manage lets go at once.
        """
        fleet = self.fleet()
        self.assertTrue(fleet.letGo().called)


class ServingTests(FleetTestCase):
    def test_even(self) -> None:
        """
        The clones are hosts of the balancer's group, and get connections by turns.
        """
        self.begin()
        clients = [self.connect() for _ in range(10)]
        self.assertEqual(Counter(map(self.answer, clients)), {b"0": 5, b"1": 5})
        pool = self.manager.getPool("web", "app")
        self.until(lambda: [host.active for host in pool.hosts] == [5, 5])

    def test_follows(self) -> None:
        """
        With another number of processes clones come or go.
        """
        fleet = self.begin()
        fleet.follow()
        self.set(processes=3)
        fleet.follow()
        self.until(lambda: self.names == ["clone0", "clone1", "clone2"])
        self.set(processes=1)
        fleet.follow()
        self.until(lambda: self.names == ["clone0"])

    def test_passes(self) -> None:
        """
        If the scheduler is one that looks at clients from now on, the clones that are there
        get their connections passed.
        """
        fleet = self.begin()
        before = fleet.manager
        self.manager.setScheduler("web", "app", "sticky")
        fleet.follow()
        self.assertIsNot(fleet.manager, before)
        manager = fleet.manager
        assert manager is not None
        self.until(lambda: len(manager.clones) == 2)
        self.assertEqual(len({self.answer(self.connect()) for _ in range(4)}), 1)
        self.assertEqual(len(self.spawned), 2)

    def test_admission(self) -> None:
        """
        Likewise if the admission begins to look at clients, and back.
        """
        fleet = self.begin()
        self.assertEqual(fleet.whyPassed, "")
        self.manager.setAdmission("web", deny=["127.0.0.1"])
        fleet.follow()
        self.assertIn("which clients are admitted", str(fleet.whyPassed))
        manager = fleet.manager
        assert manager is not None
        self.until(lambda: len(manager.clones) == 2)
        client = self.connect()
        self.assertEqual(self.answer(client), b"")
        self.manager.setAdmission("web", deny=[])
        fleet.follow()
        self.assertEqual(fleet.whyPassed, "")
        again = fleet.manager
        assert again is not None
        self.until(lambda: len(again.clones) == 2)
        self.assertIn(self.answer(self.connect()), {b"0", b"1"})

    def test_rolls(self) -> None:
        """
        All clones are replaced; the answer comes then.
        """
        fleet = self.begin()
        done = fleet.roll()
        self.failureResultOf(fleet.roll(), CloningError)
        self.assertNoResult(done)
        self.until(lambda: bool(done.called))
        self.assertEqual(self.successResultOf(done), 1)
        rows = [row for row in fleet.processes() if row["state"] == "serves"]
        self.assertEqual({row["generation"] for row in rows}, {1})

    def test_rollsWithNewManager(self) -> None:
        """
        Clones that come from a former manager are replaced as well.
        """
        fleet = self.begin()
        self.manager.setScheduler("web", "app", "sticky")
        fleet.follow()
        assert fleet.manager is not None
        self.assertEqual(fleet.manager.clones, [])
        done = fleet.roll()
        self.until(lambda: bool(done.called))
        self.assertEqual(self.successResultOf(done), 1)
        self.assertEqual(len(self.spawned), 4)

    def test_processes(self) -> None:
        """
        Each clone has a row, with its place.
        """
        fleet = self.begin()
        client = self.connect()
        self.answer(client)
        self.pass_(0.6)
        rows = list(fleet.processes())
        self.assertEqual([row["name"] for row in rows], ["clone0", "clone1"])
        self.assertEqual({(row["service"], row["group"]) for row in rows}, {("web", "app")})
        self.assertEqual(sorted(row["connections"] for row in rows), [0, 1])
        self.assertTrue(all(row["memory"] for row in rows))
        self.manager.drain("web", "app", "clone1")
        self.assertEqual([row["state"] for row in fleet.processes()], ["serves", "drain"])
        fleet.stop()
        self.assertEqual({row["state"] for row in fleet.processes()}, {"ends"})
        client.close()

    def test_stop(self) -> None:
        """
        When it stops no clone is a host any more, and nothing stays counted.
        """
        fleet = self.begin()
        client = self.connect()
        self.answer(client)
        done = fleet.stop()
        self.assertIs(done, fleet.stop())
        self.pass_(1.0)
        self.assertNoResult(done)
        client.close()
        self.until(lambda: self.reactor.stopped == 2)
        for each in self.groups:
            each.clone.close()  # type: ignore[union-attr]
        self.pass_(1.0)
        self.successResultOf(done)
        self.assertEqual(self.names, [])
        self.assertEqual(self.manager.getPool("web", "app").active, 0)

    def test_neverStarted(self) -> None:
        fleet = self.fleet()
        done = fleet.roll()
        self.pass_(2 * REUNION + 1.0, 100)
        self.failureResultOf(done, CloningError)
        self.assertEqual(list(fleet.processes()), [])
        self.assertIsNone(fleet.whyPassed)
        self.successResultOf(fleet.stop())

    def test_noClones(self) -> None:
        self.manager.setGroup("web", "app", clones=None)
        self.assertRaises(CloningError, self.fleet)


class BesideTests(FleetTestCase):
    hosts = (ProxyHost.at("far", "127.0.0.1:7001"),)

    def test_beside(self) -> None:
        """
        The balancer accepts the connections of a host that is no clone.
        """
        self.begin()
        clients = [self.connect() for _ in range(6)]
        self.until(lambda: len(self.taken) == 2)
        self.assertEqual({lease.host.name for _, _, lease in self.taken}, {"far"})
        peers = {each.getsockname() for each in clients}
        self.assertTrue(all(peer in peers for _, peer, _ in self.taken))
        for _, _, lease in self.taken:
            lease.release(Outcome.DONE)

    def test_besidePassed(self) -> None:
        """
        Likewise if the manager accepts all connections.
        """
        self.manager.setScheduler("web", "app", "sticky")
        self.begin()
        pool = self.manager.getPool("web", "app")
        address = next(
            address
            for address in (f"127.0.0.{number}" for number in range(1, 250))
            if (chosen := pool.explain((address, 1)).chosen) and chosen.name == "far"
        )
        client = socket.create_connection(("127.0.0.1", self.port), 5, (address, 0))
        self.addCleanup(client.close)
        self.until(lambda: len(self.taken) == 1)
        self.assertEqual(self.taken[0][1], client.getsockname())
        self.taken[0][2].release(Outcome.DONE)


class TakeoverTests(FleetTestCase):
    def test_takesOver(self) -> None:
        """
        The balancer dies: a clone manages for a while, and hands over to a new balancer,
        which gets the listening sockets and the clones.
        """
        fleet = self.begin()
        manager = fleet.manager
        assert manager is not None
        manager.stop()
        manager.close()
        assert fleet._rendezvous is not None
        fleet._rendezvous.close()
        self.until(lambda: any(each.manager is not None for each in self.groups))
        [temporary] = [each for each in self.groups if each.manager is not None]
        self.assertIsNotNone(temporary.manager)
        self.pass_(0.1)
        # Another process of this balancer starts it again.
        self.assertEqual(len(self.spawned), 2)
        again = self.fleet()
        again.start()
        self.until(lambda: again.manager is not None and len(again.manager.clones) == 2)
        self.assertIsNone(temporary.manager)
        self.assertIn(self.answer(self.connect()), {b"0", b"1"})
        fleet._rendezvous = None

    def test_otherBalancer(self) -> None:
        """
        A balancer does not take over from one that runs.
        """
        self.begin()
        other = self.fleet()
        other.start()
        self.until(lambda: self.reactor.stopped == 1)
        self.assertIsNone(other.manager)

    def test_told(self) -> None:
        """
        A clone is told what it needs to manage for a while.
        """
        self.begin()
        told = self.spawned[0][0].told
        self.assertEqual(told.command, [])
        self.assertEqual((told.settings["processes"], told.settings["scheduler"]), (2, "leastc"))

    def test_commands(self) -> None:
        fleet = self.fleet(heir=True, log="/var/log/b.log")
        self.assertEqual(fleet._told().command[0], sys.executable)
        words = ["/bin/twistd", "-n", "txlb", "-c", "c.xml"]
        self.assertEqual(
            fleet._command(words, ["python", *words], "clone1")[1:],
            [
                "/bin/twistd",
                "--nodaemon",
                "--pidfile=",
                "--logfile=/var/log/b.log.clone1",
                "txlb",
                "--clone=/app.tac",
            ],
        )
        words = ["app.py"]
        command = self.fleet()._command(words, ["python", *words], "clone1")
        self.assertEqual(command[1:2] + command[-2:], ["-c", "txlb", "--clone=/app.tac"])

    def test_place(self) -> None:
        """
        Clones are others if their application or the sockets are.
        """
        fleet = self.fleet()
        place = fleet.place
        self.assertTrue(fleet.isAt(place.beside(2), [NAME]))
        self.assertFalse(fleet.isAt(place, [NAME, "more"]))
        self.assertFalse(fleet.isAt(FleetPlace(place.folder, "web", "app", "/other.tac"), [NAME]))


class InheritedTests(FleetTestCase):
    def test_fromBirth(self) -> None:
        """
        A balancer that a clone has started gets the sockets from it.
        """
        birth = Birth(self.folder, -1, 0, True, {NAME: os.dup(self.sock.fileno())})
        with mock.patch.dict(os.environ, {ENVIRONMENT: birth.write()}):
            found = InheritedSockets([self.folder + "-other", self.folder], self.reactor)
        self.assertEqual(found.take("127.0.0.1:9"), [])
        [sock] = found.take("127.0.0.1:8080")
        self.assertEqual(sock.getsockname(), self.sock.getsockname())
        sock.close()
        found.close()


class AdoptingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.addCleanup(registry._groups.clear)
        told = Told(
            [],
            {
                "processes": 2,
                "graceTime": 1.0,
                "scheduler": "leastc",
                "maxConnections": None,
                "admission": {},
            },
        )
        self.birth = Birth("/nowhere", 0, 0, False, {NAME: 5, "unix:|a|b#0": 6}, told=told)

    def reactor(self, alone: bool) -> tuple[Any, list[str]]:
        shared: list[str] = []
        group: Any = mock.Mock()
        group.share.side_effect = lambda name, *_: shared.append(name)
        names = list(self.birth.listeners)
        return AdoptingReactor(mock.Mock(), group, ListenerSettings.of(), names, alone), shared

    def test_matched(self) -> None:
        """
        An application with several listeners gets the sockets by port and path.
        """
        reactor, shared = self.reactor(False)
        reactor.listenTCP(8080, EchoFactory(b""))
        self.assertEqual(shared, [NAME])
        reactor.listenUNIX("/a/b", EchoFactory(b""))
        self.assertEqual(shared, [NAME, "unix:|a|b#0"])
        error = self.assertRaises(CannotListenError, reactor.listenTCP, 81, EchoFactory(b""))
        self.assertIn("it is none of the addresses of the balancer's service", str(error))
        self.assertRaises(CannotListenError, reactor.adoptStreamPort, 3, 2, EchoFactory(b""))

    def test_alone(self) -> None:
        """
        One with a single listener gets them all, for any port of its own.
        """
        reactor, shared = self.reactor(True)
        reactor.listenTCP(1, EchoFactory(b""))
        self.assertEqual(shared, [NAME, "unix:|a|b#0"])

    def test_kinds(self) -> None:
        """
        Every kind of service that listens is found, also in others, and one that clones
        itself does not.
        """
        application = Application("app")
        inner = MultiService()
        inner.setServiceParent(application)
        TCPServer(80, EchoFactory(b"")).setServiceParent(inner)
        UNIXServer("/a/b", EchoFactory(b"")).setServiceParent(application)
        endpoint = TCP4ServerEndpoint(mock.Mock(), 80)
        StreamServerEndpointService(endpoint, EchoFactory(b"")).setServiceParent(application)
        cloning = CloningService("tcp:80", EchoFactory(b""), processes=1)
        cloning.setServiceParent(application)
        clone = BalancedClone(application, self.birth)
        self.assertEqual(clone._count, 4)
        self.assertIsNotNone(cloning.sharing)
        self.assertEqual(len(list(clone)), 4)

    def test_nothing(self) -> None:
        error = self.assertRaises(CloningError, BalancedClone, Application("app"), self.birth)
        self.assertIn("listens on nothing that can be cloned", str(error))

    def test_byHand(self) -> None:
        with mock.patch.dict(os.environ):
            os.environ.pop(ENVIRONMENT, None)
            error = self.assertRaises(CloningError, balancedClone, "app.tac")
        self.assertIn("processes that a balancer starts", str(error))

    def test_missing(self) -> None:
        """
        An application that leaves a socket of the service alone can't serve it.
        """
        group = CloneGroup("/nowhere", mock.Mock())
        error = self.assertRaises(CloningError, group.arrange, [NAME])
        self.assertIn("does not listen on the port of 127.0.0.1:8080", str(error))

    def test_life(self) -> None:
        """
        The application's services start with the sockets of the balancer, then the clone
        begins; it ends when they have stopped.
        """
        with socket.create_server(("127.0.0.1", 0)) as sock:
            descriptor = os.dup(sock.fileno())
        folder = tempfile.mkdtemp(prefix="txlb-")
        self.addCleanup(shutil.rmtree, folder)
        birth = replace(self.birth, folder=folder, listeners={NAME: descriptor})
        path = os.path.join(folder, "app.tac")
        with open(path, "w", encoding="utf-8") as file:
            file.write(TAC)
        begun: list[CloneGroup] = []
        ended: list[CloneGroup] = []

        def end(group: CloneGroup) -> Deferred[None]:
            ended.append(group)
            return succeed(None)

        self.patch(adopting, "begin", begun.append)
        self.patch(adopting, "end", end)
        self.patch(adopting, "pickedReactor", mock.Mock)
        with mock.patch.dict(os.environ, {ENVIRONMENT: birth.write()}):
            clone = balancedClone(path)
            clone.privilegedStartService()
            clone.startService()
        [group] = begun
        [listener] = group._listeners
        self.assertEqual(listener.name, NAME)
        self.successResultOf(clone.stopService())
        self.assertEqual(ended, [group])
        listener.close()
