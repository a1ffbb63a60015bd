"""
Tests for L{txlb.cloning._manager}: processes that say something else than clones do.
"""

from __future__ import annotations

import os
import signal
import socket
from unittest import mock

from twisted.python.failure import Failure

from tests.cloning.inside import FIRST_PID, InsideTestCase
from txlb.cloning import CloneGroup
from txlb.cloning import _starts as starts
from txlb.cloning._listenersettings import ListenerSettings
from txlb.cloning._manager import PATIENCE, CloneManager
from txlb.cloning._ownhosts import SERVICE
from txlb.cloning._rendezvous import Rendezvous
from txlb.cloning._starts import FIRST_DELAY, START_PATIENCE
from txlb.wire import (
    Bye,
    Drain,
    Grant,
    Hello,
    Message,
    Ping,
    Pong,
    Refused,
    Status,
    Welcome,
    decodeGrants,
    encodeGrants,
)


class PlayedTestCase(InsideTestCase):
    """
    A manager without clones of its own, and processes that a test plays.

    @ivar main: the process of the manager.
    """

    main: CloneGroup

    @property
    def manager(self) -> CloneManager:
        manager = self.main.manager
        assert manager is not None
        return manager

    def connectTo(self, group: CloneGroup) -> socket.socket:
        assert group._rendezvous is not None
        sock = group._rendezvous.connect()
        self.addCleanup(sock.close)
        self.reactor.turn(3)
        return sock

    def say(self, sock: socket.socket, *messages: Message) -> None:
        for message in messages:
            sock.send(encodeGrants(message))
        self.reactor.turn(5)

    def heard(self, sock: socket.socket) -> list[Message]:
        found: list[Message] = []
        while True:
            try:
                data = sock.recv(40_000)
            except BlockingIOError:
                return found
            if not data:
                return found
            found.append(decodeGrants(data))

    def permits(self, sock: socket.socket) -> int:
        """
        Count the connections that a process may accept, by what it has heard since.
        """
        return sum(each.count for each in self.heard(sock) if isinstance(each, Grant))

    def joinedAs(self, slot: int) -> socket.socket:
        sock = self.connectTo(self.main)
        self.say(sock, Hello(1, slot, 0, listeners=("tcp-127.0.0.1-0",), active=(0,)))
        [welcome] = self.heard(sock)
        self.assertEqual(welcome, Welcome(1, slot, 0))
        return sock


class StrangerTests(PlayedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.starts = False
        self.main = self.group()
        self.until(lambda: len(self.spawned) == 2)

    def test_otherVersion(self) -> None:
        sock = self.connectTo(self.main)
        self.say(sock, Hello(2, 0, 0))
        [refused] = self.heard(sock)
        assert isinstance(refused, Refused)
        self.assertIn("version 2", refused.reason)
        self.assertEqual(sock.recv(1), b"")
        self.assertEqual(self.manager.clones, [])

    def test_otherApplication(self) -> None:
        sock = self.connectTo(self.main)
        self.say(sock, Hello(1, 0, 0, listeners=("tcp-9",), active=(0,)))
        [refused] = self.heard(sock)
        assert isinstance(refused, Refused)
        self.assertIn("tcp-9", refused.reason)
        self.assertIn("one folder is for one application", refused.reason)

    def test_otherUser(self) -> None:
        with mock.patch("os.geteuid", return_value=os.geteuid() + 1):
            sock = self.connectTo(self.main)
        self.assertEqual(sock.recv(1), b"")
        self.assertEqual(self.manager.records, {})

    def test_silent(self) -> None:
        """
        A process that does not introduce itself is not kept.
        """
        sock = self.connectTo(self.main)
        self.assertEqual(len(self.manager.records), 1)
        self.pass_(PATIENCE + 1, 200)
        self.assertEqual(sock.recv(1), b"")
        self.assertEqual(self.manager.records, {})

    def test_beforeHello(self) -> None:
        """
        What it says before that has no effect.
        """
        sock = self.connectTo(self.main)
        self.say(sock, Status(0, 5, 5), Bye())
        self.assertEqual((self.manager.clones, self.heard(sock)), ([], []))

    def test_helloTwice(self) -> None:
        sock = self.joinedAs(0)
        self.say(sock, Hello(1, 7, 0))
        self.assertEqual([each.slot for each in self.manager.clones], [0])

    def test_surplus(self) -> None:
        """
        A clone that a manager has started, and that is one too many, ends; one that has
        connections, or was started by hand, stays.
        """
        self.joinedAs(0)
        self.joinedAs(1)
        sock = self.connectTo(self.main)
        self.say(sock, Hello(1, 2, 0, spawned=True))
        self.assertEqual(self.heard(sock), [Drain()])
        busy = self.connectTo(self.main)
        self.say(busy, Hello(1, 4, 0, active=(1,), spawned=True))
        self.assertEqual(self.heard(busy), [Welcome(1, 4, 0)])
        self.joinedAs(3)
        self.assertEqual([each.slot for each in self.manager.clones], [0, 1, 3, 4])

    def test_sameSlot(self) -> None:
        """
        Two clones that say the same place get two, and one that goes takes nothing from
        the other.
        """
        first = self.joinedAs(0)
        second = self.connectTo(self.main)
        self.say(second, Hello(1, 0, 0, listeners=("tcp-127.0.0.1-0",), active=(0,)))
        [welcome] = [each for each in self.heard(second) if isinstance(each, Welcome)]
        self.assertGreater(welcome.slot, 0)
        second.close()
        self.until(lambda: len(self.manager.clones) == 1)
        self.connect()
        self.reactor.turn(5)
        self.assertEqual(self.permits(first), 1)

    def test_lies(self) -> None:
        """
        A clone that tells of permits that it does not have, or of another listener, does
        no harm.
        """
        sock = self.joinedAs(0)
        self.say(sock, Status(0, 1000, 2), Status(9, 1, 1))
        granter = self.manager._granters[0]
        self.assertEqual(granter.outstanding, 0)
        self.connect()
        self.reactor.turn(5)
        self.assertEqual(self.permits(sock), 1)
        self.assertEqual(granter.outstanding, 1)
        self.main._listeners[0].sock.accept()[0].close()
        self.say(sock, Status(0, 0, 0), Status(0, 1, 1), Status(0, 0, 1))
        self.assertEqual(granter.outstanding, 0)
        pool = self.manager.pools.getPool(SERVICE, "tcp-127.0.0.1-0")
        self.assertEqual(pool.getHost("clone0").active, 1)

    def test_full(self) -> None:
        """
        A clone that reads nothing gets no permits, and clients go to another one.
        """
        deaf, other = self.joinedAs(0), self.joinedAs(1)
        record = next(each for each in self.manager.clones if each.slot == 0)
        with mock.patch.object(record.link, "send", return_value=False):
            for _ in range(3):
                self.connect()
                self.reactor.turn(5)
                self.pass_(0.001)
        self.assertEqual((self.permits(deaf), self.permits(other)), (0, 3))
        pool = self.manager.pools.getPool(SERVICE, "tcp-127.0.0.1-0")
        self.assertEqual(pool.getHost("clone0").active, 0)
        self.assertFalse(pool.getHost("clone0").ready)
        # It has nothing to report, but it answers.
        self.say(deaf, Pong(1, 0, 0))
        self.assertTrue(pool.getHost("clone0").ready)

    def test_pong(self) -> None:
        """
        A clone is asked whether it is alive, and says how it is.
        """
        sock = self.joinedAs(0)
        self.pass_(0.3)
        [ping] = [each for each in self.heard(sock) if isinstance(each, Ping)]
        self.say(sock, Pong(ping.number, 1500, 40_000))
        [record] = self.manager.clones
        self.assertEqual((record.lag, record.memory), (0.0015, 40_000))

    def test_formerOwner(self) -> None:
        """
        An event for the former owner of the socket's number changes nothing.
        """
        entrance = self.manager._entrance
        entrance.doWrite()
        entrance.connectionLost(Failure(ConnectionError()))
        self.assertEqual(entrance.logPrefix(), "txlb.cloning")
        self.joinedAs(0)
        entrance.close()
        entrance.connectionLost(Failure(ConnectionError()))
        entrance.doRead()
        self.assertEqual(entrance.fileno(), -1)

    def test_bye(self) -> None:
        """
        A clone that is about to end gets no permits, and is not lost when it ends.
        """
        sock = self.joinedAs(0)
        self.say(sock, Bye())
        self.connect()
        self.reactor.turn(5)
        self.assertEqual(self.permits(sock), 0)
        sock.close()
        self.until(lambda: not self.manager.clones)
        pool = self.manager.pools.getPool(SERVICE, "tcp-127.0.0.1-0")
        self.assertEqual(pool.hosts, [])

    def test_killed(self) -> None:
        """
        A clone that does not end in time is killed.
        """
        self.joinedAs(0)
        [record] = self.manager.clones
        record.link.pid = 4_000_000_000  # none has this number
        killed: list[tuple[int, int]] = []
        self.patch(os, "kill", lambda pid, number: killed.append((pid, number)))
        done = self.main.stop()
        self.pass_(5.5, 50)
        self.assertEqual(killed, [])
        self.pass_(2.0, 50)
        self.assertEqual(killed[0], (4_000_000_000, signal.SIGKILL))
        self.successResultOf(done)

    def test_neverStarted(self) -> None:
        """
        A process that can't be started is tried again.
        """
        with mock.patch.object(
            self.manager.starts._spawner, "spawn", side_effect=OSError(11, "no room")
        ):
            self.manager.starts.starting.clear()
            self.manager.starts.fill()
        count = len(self.spawned)
        self.until(lambda: len(self.spawned) > count)
        self.assertEqual(self.manager.starts.starting.keys() & {0, 1}, {0, 1})

    def test_notWaitedFor(self) -> None:
        """
        A clone that was started and does not join in time is killed, once, and started
        again when it has ended.
        """
        self.pass_(START_PATIENCE + 3, 300)
        self.assertEqual(self.killed, [FIRST_PID, FIRST_PID + 1])
        for number, (_, ended) in enumerate(tuple(self.spawned)):
            ended(1000 + number, "signal 9")
        self.until(lambda: len(self.spawned) == 4)

    def test_dismissed(self) -> None:
        """
        The end of a clone that is one too many, or that an administrator has removed soon after
        its start, is no fault: the next one is started at once, and the log does not call it one.
        """
        self.joinedAs(0)
        self.joinedAs(1)
        self.manager.spawn(2)
        sock = self.connectTo(self.main)
        self.say(sock, Hello(1, 2, 0, spawned=True))
        self.assertEqual(self.heard(sock), [Drain()])
        sock.close()
        self.manager.drain(self.manager.clones[0])
        with mock.patch.object(starts, "_log") as log:
            for number in (2, 0):
                self.spawned[number][1](FIRST_PID + number, "exit status 0")
            self.assertEqual(log.error.mock_calls, [])
        self.assertEqual(self.manager.starts._delay, FIRST_DELAY)
        # One that ends by itself is.
        with mock.patch.object(starts, "_log") as log:
            self.spawned[1][1](FIRST_PID + 1, "exit status 1")
            self.assertEqual(len(log.error.mock_calls), 1)


class WeightTestCase(PlayedTestCase):
    """
    Weights of clones, which change by themselves.
    """

    slowStart = 0.0

    def setUp(self) -> None:
        super().setUp()
        self.starts = False
        self.main = self.group()
        self.until(lambda: len(self.spawned) == 2)

    def listenerSettings(self) -> ListenerSettings:
        return ListenerSettings.of(self.scheduler, slowStart=self.slowStart)

    @property
    def weights(self) -> dict[str, float]:
        pool = self.manager.pools.getPool(SERVICE, "tcp-127.0.0.1-0")
        return {host.name: host.effectiveWeight for host in pool.hosts}


class LoadTests(WeightTestCase):
    scheduler = "resource"

    def test_lag(self) -> None:
        """
        A clone whose reactor was late gets less, if the scheduler shares by that.
        """
        late, idle = self.joinedAs(0), self.joinedAs(1)
        for _ in range(40):
            self.say(late, Pong(1, 50_000, 1))
            self.say(idle, Pong(1, 0, 1))
        self.assertAlmostEqual(self.weights["clone0"], 0.5, 4)
        self.assertEqual(self.weights["clone1"], 1.0)


class SlowStartTests(WeightTestCase):
    scheduler = "roundr"
    slowStart = 20.0

    def test_slowStart(self) -> None:
        """
        The weight of a clone that has come grows.
        """
        sock = self.joinedAs(0)
        early = self.weights["clone0"]
        self.assertLess(early, 0.2)
        self.pass_(10.0, 100)
        self.assertGreater(self.weights["clone0"], early)
        self.pass_(11.0, 100)
        self.say(sock, Pong(1, 50_000, 1))
        self.assertEqual(self.weights, {"clone0": 1.0})


class AdoptedTests(PlayedTestCase):
    """
    A manager that comes while a clone and an heir that a former one has started are on their way.
    """

    def setUp(self) -> None:
        super().setUp()
        self.starts = False
        rendezvous = Rendezvous(self.folder)
        self.addCleanup(rendezvous.close)
        self.files = rendezvous.starts
        self.held = {slot: self.files.begin(slot) for slot in (0, -1)}
        for name, descriptor in self.held.values():
            self.addCleanup(self.release, name)
            self.files.started(descriptor, FIRST_PID - 1)
        self.main = self.group()
        self.until(lambda: len(self.spawned) == 1)
        self.pass_(3.0)

    def release(self, name: str) -> None:
        """
        Let a process end.
        """
        for slot, (each, descriptor) in tuple(self.held.items()):
            if each == name:
                os.close(descriptor)
                del self.held[slot]

    def test_counted(self) -> None:
        """
        They are not started again, until they have ended.
        """
        self.assertEqual([birth.slot for birth, _ in self.spawned], [1])
        self.assertEqual(self.manager.starts.starting[0].pid, FIRST_PID - 1)
        self.manager.starts.spawnHeir()
        self.assertEqual(len(self.spawned), 1)
        self.release(self.held[0][0])
        self.until(lambda: len(self.spawned) == 2)
        self.release(self.held[-1][0])
        self.until(lambda: len(self.spawned) == 3)
        self.assertEqual([birth.slot for birth, _ in self.spawned], [1, 0, -1])

    def test_joins(self) -> None:
        """
        One that comes takes its place.
        """
        self.joinedAs(0)
        self.assertEqual(self.manager.starts.starting.keys(), {1, -1})
        self.assertNotIn(self.held[0][0], os.listdir(self.folder))

    def test_late(self) -> None:
        """
        Those that do not join in time are killed, once.
        """
        with mock.patch.object(type(self.files), "kill") as kill:
            self.pass_(START_PATIENCE + 3, 300)
            names = [name for name, _ in self.held.values()]
            self.assertEqual({call.args[0] for call in kill.mock_calls}, set(names))
            self.assertEqual(len(kill.mock_calls), 2)
