"""
Tests for what the pool makes of failures: marks, trials, and hosts that are
tried all the same.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.pool.kit import BUSY, LOCAL, PORTS, REFUSED, TIMEOUT, UNREACHABLE, Bench
from txlb.errors import NoHostAvailable
from txlb.model import ProxyHost
from txlb.pool import Attempt, EventKind, GaveUp, GaveUpReason, Outcome, Step
from txlb.pool._timers import CROWD


class MarkTests(SynchronousTestCase):
    def test_putOut(self) -> None:
        """
        A host that can't be reached gets nobody until its time has come; the
        event says why and for how long.
        """
        for failure in (REFUSED, TIMEOUT, UNREACHABLE):
            bench = Bench("a", "b")
            self.assertIsInstance(bench.attempt().failed(failure), Attempt)
            self.assertEqual((bench.state("a"), bench.pool.readyCount), ("down", 1))
            self.assertEqual(bench.pool.getHost("a").passive.reason, str(failure))
            (event,) = bench.events
            self.assertEqual((event.kind, event.key), (EventKind.HOST_DOWN, ("web", "g", "a")))
            self.assertEqual(event.message, f"{failure}; next try in 1 s, 1 ready hosts left")
            self.assertEqual(event.when, 1000.0)
            picks = {bench.pool.acquire().host.name for _ in range(5)}
            self.assertEqual(picks, {"b"})

    def test_trial(self) -> None:
        """
        When its time has come one client is its trial, and nobody else is sent
        there meanwhile.
        """
        bench = Bench("a", "b")
        bench.fell("a")
        self.assertEqual(bench.pool.nextDeadline(), 1001.0)
        bench.now = 1001.0
        bench.pool.advance(bench.now)
        self.assertEqual((bench.state("a"), bench.pool.readyCount), ("due", 2))
        self.assertIsNone(bench.pool.nextDeadline())
        bench.told()
        busy = [bench.pool.acquire()]
        trial = bench.attempt()
        leases = [bench.pool.acquire() for _ in range(5)]
        on = [lease.host.name for lease in (*busy, trial.lease, *leases)]
        self.assertEqual((on.count("a"), bench.state("a")), (1, "trial"))
        self.assertEqual(bench.told(), ["host-trial a"])
        mine = next(lease for lease in (*busy, trial.lease) if lease.host.name == "a")
        self.assertTrue(mine.trial)
        bench.pool.reportConnected(mine)
        self.assertEqual((bench.state("a"), bench.told()), ("up", ["host-up a"]))
        self.assertFalse(mine.trial)
        mine.release()
        self.assertEqual(bench.told(), [])

    def test_claimAdvances(self) -> None:
        """
        A client that comes when the time is over finds the host due, whether
        somebody has looked at the clock or not.
        """
        bench = Bench("a")
        bench.fell("a")
        bench.now = 1001.5
        attempt = bench.attempt()
        self.assertTrue(attempt.lease.trial)

    def test_doubling(self) -> None:
        """
        Each trial that fails doubles the time, from 1 s to 60 s; a success
        begins anew.
        """
        bench = Bench("a", whenAllDown="close")
        bench.fell("a")
        waits = []
        for _ in range(8):
            due = bench.pool.nextDeadline()
            assert due is not None
            waits.append(due - bench.now)
            bench.now = due - 0.001
            self.assertEqual(bench.dial().start(), GaveUp(GaveUpReason.NO_HOST))
            bench.now = due
            bench.attempt().failed(REFUSED)
        self.assertEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60])
        bench.now += 60
        bench.attempt().connected().release()
        bench.fell("a")
        self.assertEqual(bench.pool.nextDeadline(), bench.now + 1)

    def test_cancelledTrial(self) -> None:
        """
        Where the client of a trial goes away the next client is the trial.
        """
        bench = Bench("a")
        bench.fell("a")
        bench.now += 1
        bench.attempt().cancel()
        self.assertEqual(bench.state("a"), "due")
        attempt = bench.attempt()
        self.assertTrue(attempt.lease.trial)
        attempt.connected()
        self.assertEqual(bench.state("a"), "up")

    def test_noVerdict(self) -> None:
        """
        Nor do failures that say nothing of the host decide its trial.
        """
        for failure in (BUSY, PORTS, LOCAL):
            bench = Bench("a", whenAllDown="close")
            bench.fell("a")
            bench.now += 1
            self.assertIsInstance(bench.attempt().failed(failure), GaveUp)
            self.assertEqual(bench.state("a"), "due")
            self.assertTrue(bench.attempt().lease.trial)

    def test_borrowedTrial(self) -> None:
        """
        Work without a connection of its own decides the trial by how it ends.
        """
        bench = Bench("a", "b")
        bench.fell("a")
        bench.now += 1
        others = frozenset({bench.pool.getHost("b").key})
        bench.told()
        with self.assertRaises(ZeroDivisionError), bench.pool.acquire(None, others) as lease:
            lease.add(1 // 0, 0)
        self.assertEqual((bench.state("a"), bench.told()), ("due", ["host-trial a"]))
        with bench.pool.acquire(None, others) as lease:
            self.assertTrue(lease.trial)
        self.assertEqual((bench.state("a"), bench.told()), ("up", ["host-trial a", "host-up a"]))
        self.assertFalse(lease.trial)

    def test_passiveFall(self) -> None:
        """
        As many failures in a row as configured put a host out; a success in
        between forgives them.
        """
        bench = Bench("a", passiveFall=3)
        for failures, state in ((2, "unchecked"), (2, "up"), (3, "up")):
            self.assertEqual(bench.state("a"), state)
            for _ in range(failures):
                bench.attempt().failed(REFUSED)
            if failures == 2:
                bench.attempt().connected().release()
        self.assertEqual(
            (bench.state("a"), bench.told()), ("down", ["host-down a", "group-down g"])
        )
        self.assertEqual(bench.pool.getHost("a").counters.failures, 7)

    def test_countersSurvive(self) -> None:
        """
        A host that goes and comes back keeps what was counted.
        """
        bench = Bench("a")
        lease = bench.attempt().connected()
        lease.add(100, 200)
        bench.fell("a")
        bench.now += 1
        again = bench.attempt().connected()
        counters = bench.pool.getHost("a").counters
        self.assertEqual(
            (counters.connections, counters.failures, counters.bytesIn, counters.bytesOut),
            (2, 1, 100, 200),
        )
        self.assertEqual(bench.pool.getHost("a").active, 2)
        lease.release()
        again.release()
        self.assertEqual(bench.pool.active, 0)

    def test_lateFailure(self) -> None:
        """
        Connections that began before the host was put out don't put it off.
        """
        bench = Bench("a")
        attempts = [bench.attempt() for _ in range(5)]
        for attempt in attempts:
            attempt.failed(REFUSED)
            bench.now += 0.1
        self.assertEqual(bench.told(), ["host-down a", "group-down g"])
        self.assertEqual(bench.pool.nextDeadline(), 1001.0)
        self.assertEqual(bench.pool.getHost("a").counters.failures, 5)

    def test_othersSuccess(self) -> None:
        """
        Where another client reaches the host, its trial is decided, and what
        becomes of the client that was it decides no later one.
        """
        bench = Bench("a")
        bench.fell("a")
        bench.now += 1
        first = bench.attempt()
        self.assertTrue(first.lease.trial)
        other = bench.attempt()
        self.assertFalse(other.lease.trial)
        other.connected()
        self.assertEqual(bench.state("a"), "up")
        self.assertFalse(first.lease.trial)
        bench.fell("a")
        bench.now += 1
        second = bench.attempt()
        self.assertTrue(second.lease.trial)
        first.cancel()
        self.assertEqual(bench.state("a"), "trial")
        self.assertTrue(second.lease.trial)

    def test_downAgain(self) -> None:
        """
        A host that came up early and went down again is due when the second
        failure says, not the first.
        """
        bench = Bench("a", whenAllDown="try")
        bench.fell("a")
        bench.attempt().connected().release()
        bench.now = 1000.5
        bench.fell("a")
        bench.now = 1001.0
        bench.pool.advance(bench.now)
        self.assertEqual((bench.state("a"), bench.pool.nextDeadline()), ("down", 1001.5))
        bench.now = 1001.5
        bench.pool.advance(bench.now)
        self.assertEqual(bench.state("a"), "due")

    def test_sameNameWhileCrowded(self) -> None:
        """
        A host that is leaving takes nothing from a new one of its name, however
        many are down.
        """
        bench = Bench("a", *(f"h{number}" for number in range(2 * CROWD)))
        lease = bench.pool.acquire()
        self.assertEqual(lease.host.name, "a")
        bench.pool.removeHost("a")
        bench.pool.addHost(ProxyHost("a", "127.0.0.1", 1))
        bench.fell("a")
        bench.pool.reportFailed(lease, REFUSED)
        for number in range(2 * CROWD):
            bench.fell(f"h{number}")
        bench.now += 1
        bench.pool.advance(bench.now)
        self.assertEqual((bench.state("a"), lease.host.stateWord), ("due", "leaving"))
        lease.release()

    def test_retriesBounded(self) -> None:
        """
        A host that goes up and down all the time leaves no pile of times at
        which it was to be tried.
        """
        bench = Bench("a", "b", scheduler="roundr")
        sizes = set()
        for number in range(500):
            bench.fell("a")
            (lease,) = [bench.pool.claim(None, frozenset({bench.pool.getHost("b").key}))]
            assert lease is not None
            bench.pool.reportConnected(lease)
            lease.release()
            sizes.add(len(bench.pool._choiceTimers.entries))
            bench.now += 0.0001 * (number % 2)
        self.assertLessEqual(max(sizes), CROWD + 1)
        bench.fell("a")
        bench.now += 1
        bench.pool.advance(bench.now)
        self.assertEqual(bench.state("a"), "due")
        self.assertIsNone(bench.pool.nextDeadline())

    def test_manyDown(self) -> None:
        """
        With more hosts down than that, each is due at its time all the same.
        """
        names = [f"h{number}" for number in range(3 * CROWD)]
        bench = Bench(*names)
        for name in names:
            bench.fell(name)
            bench.now += 0.001
        bench.now += 1
        bench.pool.advance(bench.now)
        self.assertEqual({bench.state(name) for name in names}, {"due"})

    def test_removedWhileDown(self) -> None:
        """
        A host that is removed while it is down is not due later, and a new one
        of its name is up.
        """
        bench = Bench("a", "b")
        bench.fell("a")
        bench.pool.removeHost("a")
        bench.pool.addHost(ProxyHost("a", "127.0.0.1", 1))
        self.assertEqual(bench.state("a"), "unchecked")
        bench.fell("a")
        bench.now += 0.5
        bench.pool.advance(bench.now)
        self.assertEqual(bench.state("a"), "down")
        bench.now += 0.5
        bench.pool.advance(bench.now)
        self.assertEqual((bench.state("a"), bench.pool.readyCount), ("due", 2))


class AllDownTests(SynchronousTestCase):
    def test_close(self) -> None:
        """
        With C{close} a client finds nobody.
        """
        bench = Bench("a", whenAllDown="close")
        bench.fell("a")
        self.assertEqual(bench.dial().start(), GaveUp(GaveUpReason.NO_HOST))
        error = self.assertRaises(NoHostAvailable, bench.pool.acquire)
        self.assertEqual(
            str(error),
            "no host of group 'g' of service 'web' can take work now (1 configured)",
        )

    def test_try(self) -> None:
        """
        With C{try} marks are ignored: each host is tried once, then the search
        ends. The one that was tried the longest ago comes first.
        """
        bench = Bench("a", "b", "c")
        for name in "bca":
            bench.fell(name)
        for order in ("bca", "bca"):
            attempt: Step = bench.attempt()
            tried = ""
            while isinstance(attempt, Attempt):
                self.assertFalse(attempt.lease.trial)
                tried += attempt.host.name
                attempt = attempt.failed(REFUSED)
            self.assertEqual(tried, order)
            self.assertEqual(attempt, GaveUp(GaveUpReason.UNREACHABLE, REFUSED))
        self.assertEqual(bench.pool.active, 0)

    def test_tryInTurn(self) -> None:
        """
        Clients that try one host each try another each time.
        """
        bench = Bench("a", "b", "c")
        for name in "bca":
            bench.fell(name)
        tried = ""
        for _ in range(6):
            attempt = bench.attempt()
            tried += attempt.host.name
            attempt.cancel()
        self.assertEqual(tried, "bcabca")

    def test_trySucceeds(self) -> None:
        """
        A host that is reached so is up again at once.
        """
        bench = Bench("a", "b")
        bench.fell("a")
        bench.fell("b")
        bench.told()
        lease = bench.attempt().connected()
        self.assertEqual((lease.host.name, bench.told()), ("a", ["host-up a", "group-up g"]))
        self.assertEqual((bench.state("a"), bench.pool.readyCount), ("up", 1))
        self.assertEqual(bench.pool.acquire().host.name, "a")
        lease.release(Outcome.DONE)

    def test_notThoseThatCannot(self) -> None:
        """
        Only marks are ignored: a host that is drained or full gets nobody.
        """
        bench = Bench("a", "b")
        bench.fell("a")
        bench.fell("b")
        bench.pool.setWeight("a", 0)
        self.assertEqual({bench.attempt().host.name for _ in range(4)}, {"b"})
        bench.pool.setWeight("b", 0)
        self.assertEqual(bench.dial().start(), GaveUp(GaveUpReason.NO_HOST))
        bench.pool.setWeight("a", 1)
        self.assertEqual(bench.attempt().host.name, "a")
