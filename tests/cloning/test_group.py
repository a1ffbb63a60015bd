"""
Tests for L{txlb.cloning._group}, L{txlb.cloning._manager}, L{txlb.cloning._granter} and
L{txlb.cloning._clone}: an application and its clones in one process.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from unittest import mock

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import formatEvent

from tests.cloning.inside import FIRST_PID, InsideTestCase
from tests.proxy.fakes import logOf
from txlb.cloning import CloneGroup, CloningError, Role, _group, _signals
from txlb.cloning._granter import Granter
from txlb.cloning._group import STANDBY_FIRST
from txlb.cloning._identity import Birth
from txlb.cloning._link import Link
from txlb.cloning._listener import BATCH
from txlb.cloning._ownhosts import SERVICE
from txlb.cloning._rendezvous import Rendezvous
from txlb.cloning._starts import START_PATIENCE
from txlb.wire import Grant, Message, Status


class ServingTestCase(InsideTestCase):
    def begin(self) -> CloneGroup:
        manager = self.group()
        self.until(lambda: self.joined(manager, self.processes))
        return manager


class ServingTests(ServingTestCase):
    def test_roles(self) -> None:
        """
        The first process manages, and starts the clones.
        """
        manager = self.begin()
        self.assertIs(manager.identity.role, Role.MANAGER)
        self.assertEqual([each.identity.name for each in self.groups[1:]], ["clone0", "clone1"])
        self.assertEqual([birth.slot for birth, _ in self.spawned], [0, 1])

    def test_even(self) -> None:
        """
        Connections go to the clones by turns, none to the manager, and each is one that
        its clone has accepted.
        """
        self.begin()
        clients = [self.connect() for _ in range(20)]
        counts = Counter(self.answer(each) for each in clients)
        self.assertEqual(counts, {b"1": 10, b"2": 10})
        clients[0].send(b"hello")
        self.assertEqual(self.answer(clients[0]), b"hello")

    def test_counts(self) -> None:
        """
        The manager knows the connections of each clone as those of a host, and when they
        have ended.
        """
        manager = self.begin()
        assert manager.manager is not None
        pool = manager.manager.pools.getPool(SERVICE, "tcp-127.0.0.1-0")
        clients = [self.connect() for _ in range(4)]
        for each in clients:
            self.answer(each)
        self.until(lambda: [host.active for host in pool.hosts] == [2, 2])
        for each in clients:
            each.close()
        self.until(lambda: [host.active for host in pool.hosts] == [0, 0])
        self.assertEqual(sum(host.counters.connections for host in pool.hosts), 4)

    def test_tellsChanges(self) -> None:
        """
        A clone tells the manager of a listener if something has changed there.
        """
        self.begin()
        for each in self.groups[1:]:
            assert each.clone is not None
            each.clone._report(0.0)
        self.reactor.turn(10)
        sent: list[object] = []
        send = Link.send

        def noting(link: Link, message: Message, descriptors: tuple[int, ...] = ()) -> bool:
            sent.append(message)
            return send(link, message, descriptors)

        with mock.patch.object(Link, "send", noting):
            for each in self.groups[1:]:
                assert each.clone is not None
                each.clone._report(0.0)
            self.reactor.turn(10)
            self.assertEqual([each for each in sent if isinstance(each, Status)], [])
            self.answer(self.connect())
            self.reactor.turn(10)
        self.assertEqual([each for each in sent if isinstance(each, Status)], [Status(0, 1, 1)])

    def test_lateClone(self) -> None:
        """
        A clone that uses no permit loses it: another one gets the connection.
        """
        manager = self.begin()
        self.reactor.turn(10)
        first = self.groups[1]
        assert first.clone is not None
        link = first.clone._link
        assert link is not None
        self.reactor.removeReader(link)  # it hangs
        clients = [self.connect() for _ in range(4)]
        self.assertEqual({self.answer(each) for each in clients}, {b"2"})
        assert manager.manager is not None
        pool = manager.manager.pools.getPool(SERVICE, "tcp-127.0.0.1-0")
        self.assertFalse(pool.getHost("clone0").ready)
        # When it goes on, its permits find no client, and it gets new ones.
        self.reactor.addReader(link)
        self.until(lambda: pool.getHost("clone0").ready)
        self.assertEqual(self.answer(self.connect()), b"1")

    def test_lateAgain(self) -> None:
        """
        A clone that is late again and again, as on a busy CPU, gets permits as soon as it
        goes on: it is not held down. If all were, no process would accept. The log has it
        once in ten seconds.
        """
        log = logOf(self)
        manager = self.begin()
        self.reactor.turn(10)
        assert manager.manager is not None
        pool = manager.manager.pools.getPool(SERVICE, "tcp-127.0.0.1-0")
        links = [each.clone._link for each in self.groups[1:] if each.clone is not None]
        for _ in range(4):
            for link in links:
                self.reactor.removeReader(link)
            clients = [self.connect() for _ in range(2)]
            self.until(lambda: not any(host.ready for host in pool.hosts))
            for link in links:
                self.reactor.addReader(link)
            for client in clients:
                self.answer(client)
            began = self.reactor.now
            self.until(lambda: all(host.ready for host in pool.hosts))
            self.assertLess(self.reactor.now - began, 0.3)
        lines = [str(formatEvent(each)) for each in log]
        self.assertEqual(sum("host-down clones/" in line for line in lines), len(links))
        manager.manager._late.flush()
        lines = [str(formatEvent(each)) for each in log]
        self.assertEqual(sum("before this one: left out" in line for line in lines), len(links))

    def test_heldManager(self) -> None:
        """
        If the manager was held, it reads what clones have said before it finds them late.
        """
        manager = self.begin()
        self.reactor.turn(10)
        assert manager.manager is not None
        granter = manager.manager._granters[0]
        assert isinstance(granter, Granter)
        # The manager reads nothing from here on.
        for link in manager.manager.records:
            self.reactor.removeReader(link)
            self.addCleanup(self.reactor.addReader, link)
        self.answer(self.connect())
        self.reactor.turn(10)
        self.assertEqual(granter.outstanding, 1)
        self.reactor.now += 1.0
        granter._lookForLate()
        self.assertEqual(granter.outstanding, 0)
        self.assertTrue(all(host.ready for host in granter.pool.hosts))

    def test_lostReport(self) -> None:
        """
        A report for which the manager's socket had no room is sent again.
        """
        manager = self.begin()
        self.reactor.turn(10)
        send = Link.send
        lost: list[object] = []

        def losing(link: Link, message: Message, descriptors: tuple[int, ...] = ()) -> bool:
            if isinstance(message, Status) and not lost:
                lost.append(message)
                return False
            return send(link, message, descriptors)

        assert manager.manager is not None
        granter = manager.manager._granters[0]
        assert isinstance(granter, Granter)
        with mock.patch.object(Link, "send", losing):
            self.answer(self.connect())
            self.until(lambda: bool(lost))
            self.pass_(1.0, 50)
        self.assertEqual(granter.outstanding, 0)
        self.assertEqual([host.ready for host in granter.pool.hosts], [True, True])
        self.assertEqual(sum(host.active for host in granter.pool.hosts), 1)

    def test_hungWhileTheyWait(self) -> None:
        """
        If the manager hangs after it has said that clients wait on purpose, clones don't
        believe that for ever.
        """
        manager = self.begin()
        self.reactor.turn(10)
        assert manager.manager is not None
        granter = manager.manager._granters[0]
        assert isinstance(granter, Granter)
        granter._tellThatTheyWait()
        self.reactor.turn(5)
        self.reactor.removeReader(granter)
        manager.manager._beat.stop()
        began = self.reactor.now
        self.answer(self.connect())
        self.assertLess(self.reactor.now - began, 0.8)

    def test_allLate(self) -> None:
        """
        If all clones are late, the manager does not tell them to let clients wait: they
        serve by themselves.
        """
        self.begin()
        self.reactor.turn(10)
        links = []
        for group in self.groups[1:]:
            assert group.clone is not None
            link = group.clone._link
            assert link is not None
            links.append(link)
            self.reactor.removeReader(link)
        clients = [self.connect() for _ in range(4)]
        for each in clients:
            self.answer(each)
        sent: list[Message] = []
        send = Link.send

        def noting(link: Link, message: Message, descriptors: tuple[int, ...] = ()) -> bool:
            sent.append(message)
            return send(link, message, descriptors)

        with mock.patch.object(Link, "send", noting):
            for each in [self.connect() for _ in range(4)]:
                self.answer(each)
        self.assertNotIn(Grant(0, 0), sent)

    def test_hungManager(self) -> None:
        """
        If the manager hangs, clones see a queue that is not served, and serve it.
        """
        manager = self.begin()
        assert manager.manager is not None
        granter = manager.manager._granters[0]
        assert isinstance(granter, Granter)
        self.reactor.removeReader(granter)
        began = self.reactor.now
        client = self.connect()
        self.assertIn(self.answer(client), {b"1", b"2"})
        self.assertLessEqual(self.reactor.now - began, 0.12)

    def test_lostClone(self) -> None:
        """
        A clone that dies is replaced; the others serve meanwhile.
        """
        manager = self.begin()
        first = self.groups[1]
        assert first.clone is not None
        assert first.clone._link is not None
        first.clone.whenLost = lambda: None
        first.clone._link.close()
        for listener in first._listeners:
            listener.stop()
        self.assertEqual(self.answer(self.connect()), b"2")
        self.until(lambda: len(self.spawned) == 3)
        self.assertEqual(self.spawned[2][0].slot, 0)
        self.until(lambda: self.joined(manager, 2))

    def test_crashLoop(self) -> None:
        """
        A clone that ends at once is started again after longer and longer pauses.
        """
        self.starts = False
        self.group()
        self.until(lambda: len(self.spawned) == 2)
        pauses = []
        for _ in range(5):
            number = len(self.spawned)
            began = self.reactor.now
            for _, ended in self.spawned[-1:]:
                ended(1, "exit status 1")
            self.until(lambda number=number: len(self.spawned) > number)  # type: ignore[misc]
            pauses.append(self.reactor.now - began)
        self.assertGreater(pauses[3], 1.5 * pauses[1])
        self.assertLess(pauses[0], 0.2)
        self.assertGreater(pauses[-1], 1.0)

    def test_stop(self) -> None:
        """
        The manager stops when its clones have finished.
        """
        manager = self.begin()
        client = self.connect()
        self.answer(client)
        done = manager.stop()
        self.pass_(0.5)
        self.assertNoResult(done)
        client.send(b"still there")
        self.assertEqual(self.answer(client), b"still there")
        client.close()
        self.until(lambda: self.reactor.stopped == 2)
        for each in self.groups[1:]:
            each.clone.close()  # type: ignore[union-attr]
        self.pass_(0.5)
        self.successResultOf(done)

    def test_lastClients(self) -> None:
        """
        Clients that wait while the application stops are served; later ones are refused.
        """
        manager = self.begin()
        clients = [self.connect() for _ in range(2 * BATCH + 5)]
        done = manager.stop()
        self.assertEqual({self.answer(each) for each in clients}, {b"1", b"2"})
        with self.assertRaises(ConnectionRefusedError):
            self.connect()
        for each in clients:
            each.close()
        self.until(lambda: self.reactor.stopped == 2)
        for group in self.groups[1:]:
            group.clone.close()  # type: ignore[union-attr]
        self.pass_(0.5)
        self.successResultOf(done)

    def test_graceTime(self) -> None:
        """
        Connections that do not end are reset after the grace time.
        """
        manager = self.begin()
        client = self.connect()
        self.answer(client)
        done = manager.stop()
        self.reactor.turn(10)
        self.pass_(4.9)
        self.assertNoResult(done)
        with self.assertRaises(BlockingIOError):
            client.recv(1)
        self.pass_(0.2)
        with self.assertRaises(ConnectionResetError):
            client.recv(1)
        self.pass_(3.0)
        self.successResultOf(done)

    def test_lateComer(self) -> None:
        """
        A clone that was on its way when the application was stopped does not bring it back.
        """
        manager = self.begin()
        birth = self.spawned[0][0]
        manager.stop()
        self.pass_(8.0)
        self.reactor.stopped = 0
        late = self.group(Birth(birth.folder, 5, 0, False, {}))
        self.until(lambda: self.reactor.stopped == 1)
        self.assertIsNone(late.manager)

    def test_byHand(self) -> None:
        """
        A process that is started like the first one gets the sockets from the manager, and
        is one more clone.
        """
        manager = self.begin()
        port = self.port
        other: list[CloneGroup] = []
        # The manager answers while the other one waits for it.
        receive = Link.receive

        def answered(link: Link, timeout: float) -> object:
            self.reactor.turn(5)
            return receive(link, timeout)

        with mock.patch.object(Link, "receive", answered):
            other.append(self.group())
        self.assertEqual(self.port, port)
        self.until(lambda: self.joined(manager, 3))
        self.until(lambda: other[0].identity.slot == 2)
        answers = {self.answer(self.connect()) for _ in range(6)}
        self.assertEqual(len(answers), 3)


class OneMoreTests(ServingTestCase):
    def test_stop(self) -> None:
        """
        A clone that is stopped alone leaves the clients that wait to the others.
        """
        manager = self.begin()
        clone = self.groups[1].clone
        assert clone is not None
        client = self.connect()
        self.groups[1].stop()
        self.assertEqual(self.answer(client), b"2")
        assert manager.manager is not None
        self.assertFalse(manager.manager.quitting)


class TakeoverTests(InsideTestCase):
    def kill(self, group: CloneGroup) -> None:
        """
        End the manager as SIGKILL does.
        """
        manager = group.manager
        assert manager is not None
        manager.stop()
        for link in tuple(manager.records):
            link.close()
        group.manager = None
        assert group._rendezvous is not None
        group._rendezvous.unlock()

    def begin(self) -> CloneGroup:
        manager = self.group()
        self.until(lambda: self.joined(manager, self.processes))
        return manager

    def test_takeover(self) -> None:
        """
        A clone manages in the place of a manager that died, connections stay, clients are
        served at once, and then an heir manages that serves nothing.
        """
        first = self.begin()
        before = self.connect()
        self.answer(before)
        self.kill(first)
        client = self.connect()
        self.assertIn(self.answer(client), {b"1", b"2"})
        before.send(b"still there")
        self.assertEqual(self.answer(before), b"still there")
        self.until(lambda: any(each.manager for each in self.groups[1:]))
        self.until(lambda: any(birth.heir for birth, _ in self.spawned))
        self.until(lambda: bool(self.groups[-1].manager))
        heir = self.groups[-1]
        self.until(lambda: self.joined(heir, 2))
        self.assertEqual(len(self.spawned), 3)
        self.assertEqual({each.identity.role for each in self.groups[1:3]}, {Role.CLONE})
        clients = [self.connect() for _ in range(6)]
        counts = Counter(self.answer(each) for each in clients)
        self.assertEqual(set(counts), {b"1", b"2"})

    def test_managingClone(self) -> None:
        """
        A clone that manages is one of the clones: no other one is started in its place, and
        it serves if the others hang.
        """
        first = self.begin()
        self.starts = False
        self.kill(first)
        self.until(lambda: any(each.manager for each in self.groups[1:]))
        managing = next(each for each in self.groups[1:] if each.manager)
        other = next(each for each in self.groups[1:] if not each.manager)
        self.until(lambda: self.joined(managing, 1))
        self.pass_(3.0, 100)
        self.assertEqual([birth.heir for birth, _ in self.spawned[2:]], [True])
        assert other.clone is not None
        assert other.clone._link is not None
        self.reactor.removeReader(other.clone._link)
        self.addCleanup(self.reactor.addReader, other.clone._link)
        other.clone._watch.stop()
        name = b"%d" % self.groups.index(managing)
        began = self.reactor.now
        self.assertEqual(self.answer(self.connect()), name)
        self.assertLess(self.reactor.now - began, 0.12)

    def test_cannotManage(self) -> None:
        """
        If a clone can't manage, another one tries, and clients are served.
        """
        first = self.begin()
        listen = Rendezvous.listen
        failed: list[object] = []

        def failing(rendezvous: Rendezvous) -> object:
            if not failed:
                failed.append(rendezvous)
                raise OSError(28, "No space left on device")
            return listen(rendezvous)

        with mock.patch.object(Rendezvous, "listen", failing):
            self.kill(first)
            self.until(lambda: bool(failed))
            self.assertIn(self.answer(self.connect()), {b"1", b"2"})
            self.until(lambda: any(each.manager for each in self.groups[1:]))

    def test_replaced(self) -> None:
        """
        A fresh process takes the manager's place, which ends.
        """
        first = self.begin()
        replaced = [first.replaceManager(), first.replaceManager()]
        self.assertEqual(len(self.spawned), 3)
        self.assertIn("new manager", str(self.assertRaises(CloningError, first.roll)))
        dropped = first.replaceManager()
        dropped.cancel()
        self.failureResultOf(dropped, CancelledError)
        self.until(lambda: bool(self.groups[-1].manager) and first.manager is None)
        self.until(lambda: self.joined(self.groups[-1], 2))
        self.assertEqual(self.reactor.stopped, 1)
        self.assertEqual([self.successResultOf(each) for each in replaced], [os.getpid()] * 2)
        self.assertIn(self.answer(self.connect()), {b"1", b"2"})

    def test_brokenHeir(self) -> None:
        """
        A manager whose heir does not start goes on, and tells why.
        """
        first = self.begin()
        self.starts = False
        replaced = first.replaceManager()
        self.spawned[-1][1](1, "exit status 7")
        self.assertIn("exit status 7", str(self.failureResultOf(replaced, CloningError).value))
        self.pass_(5.0)
        self.assertEqual(len(self.spawned), 3)
        self.assertTrue(self.joined(first, 2))

    def test_hungHeir(self) -> None:
        """
        An heir that never comes is killed.
        """
        first = self.begin()
        self.starts = False
        replaced = first.replaceManager()
        self.pass_(START_PATIENCE + 1, 300)
        self.assertEqual(self.killed, [FIRST_PID + 2])
        self.spawned[-1][1](FIRST_PID + 2, "signal 9")
        self.failureResultOf(replaced, CloningError)
        self.assertTrue(self.joined(first, 2))

    def test_heirOfClone(self) -> None:
        """
        A clone that manages starts an heir again if one does not start.
        """
        first = self.begin()
        self.starts = False
        self.kill(first)
        self.until(lambda: any(birth.heir for birth, _ in self.spawned))
        [ended] = [ended for birth, ended in self.spawned if birth.heir]
        ended(1, "exit status 1")
        self.until(lambda: sum(birth.heir for birth, _ in self.spawned) == 2)

    def test_heirToMany(self) -> None:
        """
        An heir that no manager waits for ends.
        """
        first = self.begin()
        birth = self.spawned[0][0]
        self.group(Birth(birth.folder, -1, 0, True, {}))
        self.until(lambda: self.reactor.stopped == 1)
        self.assertTrue(first.manager)


class LogTests(InsideTestCase):
    def test_reopened(self) -> None:
        """
        On SIGUSR1 the manager lets the handler that was there rotate the log, and passes the
        signal on to the clones, which do likewise.
        """
        came: list[int] = []
        before = signal.signal(signal.SIGUSR1, lambda number, _: came.append(number))
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        manager = self.group()
        self.until(lambda: self.joined(manager, 2))
        sent: list[tuple[int, int]] = []
        self.patch(os, "kill", lambda pid, number: sent.append((pid, number)))
        moved = [False, True, False, False]
        self.patch(_signals, "reopenMoved", moved.pop)
        manager._signals.reopenLogs(lambda number, _: came.append(number))
        self.assertEqual((came, sent), ([signal.SIGUSR1], []))
        self.reactor.turn(2)
        self.assertEqual(sent, [(os.getpid(), signal.SIGUSR1)] * 2)
        self.groups[1]._signals.reopenLogs(signal.SIG_DFL)
        self.groups[1]._signals.reopenLogs(lambda number, _: came.append(number))
        self.groups[1].identity.role = Role.STANDBY
        self.groups[1]._signals.reopenLogs(lambda number, _: came.append(number))
        self.reactor.turn(2)
        self.assertEqual((len(came), len(sent)), (1, 2))

    def test_signal(self) -> None:
        """
        The signal ends no process, even if there was no handler.
        """
        before = signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        asked: list[None] = []

        def noted() -> bool:
            asked.append(None)
            return False

        self.patch(_group, "reopenMoved", noted)
        self.starts = False
        self.group()
        self.until(lambda: len(self.spawned) == 2)
        os.kill(os.getpid(), signal.SIGUSR1)
        self.until(lambda: len(asked) == 1)


class RollingTests(InsideTestCase):
    def begin(self) -> CloneGroup:
        manager = self.group()
        self.until(lambda: self.joined(manager, 2))
        return manager

    def endDraining(self) -> None:
        """
        End the processes of clones that were told to end, as they do.
        """
        for each in self.groups:
            if each.clone is not None and each.clone.draining:
                each.clone.close()

    def test_roll(self) -> None:
        """
        Clones are replaced one by one, by ones of the next generation.
        """
        manager = self.begin()
        rolled = manager.roll()
        assert manager.manager is not None
        for _ in range(2):
            self.assertNoResult(rolled)
            stopped = self.reactor.stopped
            self.until(lambda stopped=stopped: self.reactor.stopped > stopped)  # type: ignore[misc]
            self.endDraining()
        self.assertEqual(self.successResultOf(rolled), 1)
        self.until(lambda: self.joined(manager, 2))
        self.assertEqual({each.generation for each in manager.manager.clones}, {1})
        self.pass_(1.0)
        self.assertEqual(len(self.spawned), 4)

    def test_twice(self) -> None:
        """
        There is one at a time, and the next one after it.
        """
        manager = self.begin()
        rolled = manager.roll()
        error = self.assertRaises(CloningError, manager.roll)
        self.assertIn("is under way", str(error))
        self.assertIn("is under way", str(self.assertRaises(CloningError, manager.replaceManager)))
        # The signal does not fail.
        manager._signals.ask(manager.roll)
        self.assertEqual(self._end(rolled), 1)
        self.assertEqual(self._end(manager.roll()), 2)

    def _end(self, rolled: Deferred[int]) -> int:
        def isOver() -> bool:
            self.endDraining()
            return rolled.called

        self.until(isOver)
        return self.successResultOf(rolled)

    def test_broken(self) -> None:
        """
        If a clone of the new generation does not start, the old ones stay.
        """
        manager = self.begin()
        self.starts = False
        rolled = manager.roll()
        self.until(lambda: len(self.spawned) == 3)
        self.spawned[-1][1](1, "exit status 1")
        self.assertIn("exit status 1", str(self.failureResultOf(rolled, CloningError).value))
        self.pass_(1.0)
        self.assertEqual(len(self.spawned), 3)
        assert manager.manager is not None
        self.assertEqual({each.generation for each in manager.manager.clones}, {0})
        self.assertEqual(manager.manager.generation, 0)
        self.assertIn(self.answer(self.connect()), {b"1", b"2"})

    def test_endsOnTrial(self) -> None:
        """
        A release that ends at its first connections stops the roll, and the old clones stay.
        """
        manager = self.begin()
        rolled = manager.roll()
        self.until(lambda: self.joined(manager, 3))
        new = self.groups[-1]
        assert new.clone is not None
        new.clone.whenLost = lambda: None
        new.clone.close()
        for listener in new._listeners:
            listener.stop()
        self.reactor.turn(5)
        self.assertNoResult(rolled)
        self.spawned[-1][1](1, "signal 11")
        self.assertIn("signal 11", str(self.failureResultOf(rolled, CloningError).value))
        self.pass_(1.0)
        self.assertTrue(self.joined(manager, 2))
        self.assertEqual(len(self.spawned), 3)

    def test_hangs(self) -> None:
        """
        A new clone that does not join is killed, and the old ones stay.
        """
        manager = self.begin()
        self.starts = False
        rolled = manager.roll()
        self.pass_(START_PATIENCE - 1, 300)
        self.assertNoResult(rolled)
        self.pass_(2.0)
        self.assertEqual(self.killed, [FIRST_PID + 2])
        self.spawned[-1][1](FIRST_PID + 2, "signal 9")
        self.assertIn("signal 9", str(self.failureResultOf(rolled, CloningError).value))
        self.pass_(20.0)
        self.assertEqual(len(self.spawned), 3)

    def test_notManaging(self) -> None:
        """
        A clone refuses what is the manager's, and signals have no effect on it.
        """
        self.begin()
        clone = self.groups[1]
        self.assertRaises(CloningError, clone.roll)
        self.assertRaises(CloningError, clone.replaceManager)
        clone._signals.ask(clone.roll)
        self.assertEqual(len(self.spawned), 2)

    def test_stopped(self) -> None:
        """
        A roll ends with the application.
        """
        manager = self.begin()
        rolled = manager.roll()
        manager.stop()
        self.failureResultOf(rolled, CloningError)
        self.assertRaises(CloningError, manager.replaceManager)
        assert manager.manager is not None
        self.assertRaises(CloningError, manager.manager.roll)


class LimitTests(InsideTestCase):
    maxConnections = 1

    def test_limit(self) -> None:
        """
        Clients that no clone has room for wait in the accept queue.
        """
        manager = self.group()
        self.until(lambda: self.joined(manager, 2))
        clients = [self.connect() for _ in range(3)]
        for each in clients[:2]:
            self.answer(each)
        self.reactor.turn(20)
        self.pass_(0.04)
        with self.assertRaises(BlockingIOError):
            clients[2].recv(1)
        clients[0].close()
        self.assertIn(self.answer(clients[2]), {b"1", b"2"})


class StandbyTests(InsideTestCase):
    """
    A process that stands by.
    """

    standby = True

    def begin(self) -> CloneGroup:
        manager = self.group()
        self.until(lambda: self.standsBy(manager))
        return manager

    def standsBy(self, group: CloneGroup) -> bool:
        return group.manager is not None and group.manager.standby is not None

    def born(self, heir: bool) -> list[Birth]:
        return [birth for birth, _ in self.spawned if birth.heir is heir]

    def kill(self, group: CloneGroup) -> None:
        """
        End a manager, or a process that stands by, as SIGKILL does.
        """
        if group.manager is not None:
            group.manager.stop()
            for link in tuple(group.manager.records):
                link.close()
            group.manager = None
        elif group.clone is not None:
            group.clone.whenLost = lambda: None
            link_ = group.clone._link
            assert link_ is not None
            link_.close()
        assert group._rendezvous is not None
        group._rendezvous.unlock()
        group._rendezvous.standByNoMore()

    def test_started(self) -> None:
        """
        It is started after the clones, and serves nothing.
        """
        self.begin()
        self.assertEqual([birth.heir for birth, _ in self.spawned], [False, False, True])
        self.assertFalse(self.groups[3].serves)
        self.pass_(60.0, 300)
        self.assertEqual(len(self.spawned), 3)

    def test_takes(self) -> None:
        """
        It manages if the manager dies, and no clone does; another one is started.
        """
        first = self.begin()
        standby = self.groups[3]
        self.kill(first)
        client = self.connect()
        self.assertIn(self.answer(client), {b"1", b"2"})
        self.until(lambda: self.joined(standby, 2))
        self.assertTrue(standby.manages)
        self.assertEqual([each.manager for each in self.groups[1:3]], [None, None])
        self.until(lambda: self.standsBy(standby))
        self.assertEqual(len(self.born(heir=True)), 2)
        self.assertEqual(len(self.born(heir=False)), 2)

    def test_dead(self) -> None:
        """
        If it is dead as well, a clone manages until a fresh process does.
        """
        first = self.begin()
        self.kill(self.groups[3])
        self.kill(first)
        self.until(lambda: any(each.manager for each in self.groups[1:3]))
        self.until(lambda: self.groups[-1].manages)
        self.until(lambda: self.joined(self.groups[-1], 2))
        self.assertEqual({each.identity.role for each in self.groups[1:3]}, {Role.CLONE})

    def test_hangs(self) -> None:
        """
        If it hangs, a clone does not wait for it for long.
        """
        first = self.begin()
        clone = self.groups[3].clone
        assert clone is not None
        assert clone._link is not None
        self.reactor.removeReader(clone._link)
        self.reactor.removeReader(clone._link._death)
        self.kill(first)
        began = self.reactor.now
        self.until(lambda: any(each.manager for each in self.groups[1:3]))
        self.assertGreaterEqual(self.reactor.now - began, STANDBY_FIRST)
        self.assertLess(self.reactor.now - began, STANDBY_FIRST + 0.05)

    def test_replaced(self) -> None:
        """
        If it ends, another one is started.
        """
        manager = self.begin()
        before = manager.manager.standby  # type: ignore[union-attr]
        self.kill(self.groups[3])
        self.until(lambda: not self.standsBy(manager))
        self.until(lambda: self.standsBy(manager))
        self.assertIsNot(manager.manager.standby, before)  # type: ignore[union-attr]

    def test_rolled(self) -> None:
        """
        After a rolling restart it is of the new release as well.
        """
        manager = self.begin()
        manager.roll()
        assert manager.manager is not None
        self.until(lambda: len(self.born(heir=True)) == 2)
        self.until(lambda: self.reactor.stopped == 3)
        self.assertEqual([each.generation for each in self.born(heir=True)], [0, 1])
        assert manager.manager.standby is not None
        self.assertEqual(manager.manager.standby.generation, 1)

    def test_managerReplaced(self) -> None:
        """
        A fresh manager has a fresh process stand by.
        """
        first = self.begin()
        first.replaceManager()
        self.until(lambda: self.groups[4].manages)
        self.until(lambda: self.standsBy(self.groups[4]))
        self.assertEqual(len(self.born(heir=True)), 3)
        self.until(lambda: self.reactor.stopped == 2)

    def test_neverStarts(self) -> None:
        """
        One that does not start is started again after longer and longer pauses, and the
        application goes on.
        """
        manager = self.group()
        self.until(lambda: self.joined(manager, 2))
        self.starts = False
        pauses = []
        for number in range(5):
            began = self.reactor.now
            self.until(lambda number=number: len(self.born(heir=True)) > number)  # type: ignore[misc]
            pauses.append(self.reactor.now - began)
            self.spawned[-1][1](1, "exit status 1")
        self.assertGreater(pauses[4], 0.7)
        self.assertIn(self.answer(self.connect()), {b"1", b"2"})

    def test_generation(self) -> None:
        """
        If the manager dies in a rolling restart, the next one goes on from the new release.
        """
        first = self.begin()
        standby = self.groups[3]
        first.roll().addErrback(lambda _: None)  # the manager is killed
        self.until(lambda: len(self.groups) == 5)
        self.until(lambda: bool(self.groups[4].clone and self.groups[4].clone.joined))
        self.kill(first)
        self.until(lambda: standby.manages)
        self.until(lambda: bool(standby.manager and standby.manager.generation == 1))


class UncountedTests(InsideTestCase):
    """
    A system that does not tell how many connections wait.
    """

    def setUp(self) -> None:
        super().setUp()
        error = OSError(92, "Protocol not available")
        patched = mock.patch("txlb.cloning._listener.queueLength", side_effect=error)
        patched.start()
        self.addCleanup(patched.stop)

    def test_even(self) -> None:
        """
        The manager grants one connection at a time, and they come out as even.
        """
        lines: list[str] = []
        logged = mock.patch(
            "txlb.cloning._tellinghow._log.warn", lambda text, **_: lines.append(text)
        )
        with logged:
            manager = self.group()
            self.until(lambda: self.joined(manager, 2))
        self.assertIn("one permit at a time", lines[0])
        clients = [self.connect() for _ in range(10)]
        counts = Counter(self.answer(each) for each in clients)
        self.assertEqual(counts, {b"1": 5, b"2": 5})
