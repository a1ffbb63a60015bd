"""
Tests for L{txlb.pool._weighing}.
"""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.pool.kit import Bench
from txlb.errors import UnknownName
from txlb.model import ProxyHost, ResourceProbe
from txlb.pool import CheckResult, Event
from txlb.pool._load import LEAST_SHARE
from txlb.pool._timers import CROWD
from txlb.pool._weighing import STEPS, _grown


class LoadBench(Bench):
    def weight(self, name: str) -> float:
        """
        What a host weighs now.
        """
        return self.pool.getHost(name).effectiveWeight

    def wait(self, seconds: float) -> None:
        """
        Time goes by, and what is due in it is done when it is due.
        """
        until = self.now + seconds
        for _ in range(10000):
            due = self.pool.nextDeadline()
            if due is None or due > until:
                break
            assert due >= self.now
            self.now = due
            self.pool.advance(due)
        else:
            raise AssertionError("it never comes to an end")
        self.now = until
        self.pool.advance(until)


class SlowStartTests(SynchronousTestCase):
    def test_off(self) -> None:
        """
        Without slow start a new host has its whole weight at once.
        """
        bench = LoadBench("a")
        bench.pool.addHost(ProxyHost("b", "127.0.0.1", 1, 7))
        self.assertEqual(bench.weight("b"), 7.0)
        self.assertIsNone(bench.pool.nextDeadline())

    def test_fromTheBeginning(self) -> None:
        """
        Hosts that a pool begins with have their whole weight.
        """
        bench = LoadBench("a", slowStart=10.0)
        self.assertEqual(bench.weight("a"), 1.0)
        self.assertIsNone(bench.pool.nextDeadline())

    def test_added(self) -> None:
        """
        The weight of a host that is added grows linearly, in steps that come of
        themselves, and is never 0.
        """
        bench = LoadBench("a", slowStart=10.0)
        bench.pool.addHost(ProxyHost("b", "127.0.0.1", 1, 40))
        began, seen = bench.now, []
        while (due := bench.pool.nextDeadline()) is not None:
            seen.append(bench.weight("b"))
            bench.wait(due - bench.now)
        seen.append(bench.weight("b"))
        self.assertEqual(len(seen), STEPS + 1)
        self.assertEqual(seen, sorted(set(seen)))
        self.assertAlmostEqual(seen[0], 1.0)
        self.assertAlmostEqual(seen[STEPS // 2], 21.0)
        self.assertEqual(seen[-1], 40.0)
        self.assertAlmostEqual(bench.now - began, 10.0)

    def test_cameBack(self) -> None:
        """
        So does that of a host that was down; its trial came before.
        """
        bench = LoadBench("a", "b", slowStart=10.0)
        bench.fell("a")
        bench.wait(1.0)
        self.assertEqual(bench.state("a"), "due")
        other = frozenset({bench.pool.getHost("b").key})
        lease = bench.pool.claim(None, other)
        assert lease is not None
        bench.pool.reportConnected(lease)
        self.assertEqual(bench.state("a"), "up")
        self.assertAlmostEqual(bench.weight("a"), 0.5 / STEPS)
        bench.wait(5.0)
        self.assertLess(abs(bench.weight("a") - 0.5), 1 / STEPS)
        bench.wait(5.0)
        self.assertEqual(bench.weight("a"), 1.0)

    def test_fellAgain(self) -> None:
        """
        One that falls while it grows begins anew.
        """
        bench = LoadBench("a", "b", slowStart=10.0)
        bench.pool.addHost(ProxyHost("c", "127.0.0.1", 1))
        bench.wait(8.0)
        bench.fell("c")
        bench.wait(1.0)
        others = frozenset(bench.pool.getHost(name).key for name in "ab")
        lease = bench.pool.claim(None, others)
        assert lease is not None
        bench.pool.reportConnected(lease)
        self.assertLess(bench.weight("c"), 0.1)
        bench.wait(9.0)
        self.assertLess(bench.weight("c"), 1.0)
        bench.wait(1.0)
        self.assertEqual(bench.weight("c"), 1.0)

    def test_shares(self) -> None:
        """
        Policies that weigh give the new host its growing share.
        """
        for word in ("roundr", "weightr", "weightlc"):
            bench = LoadBench("a", scheduler=word, slowStart=10.0)
            bench.pool.addHost(ProxyHost("b", "127.0.0.1", 1))
            early = self.share(bench, "b", 400)
            bench.wait(5.0)
            middle = self.share(bench, "b", 400)
            bench.wait(5.0)
            late = self.share(bench, "b", 400)
            self.assertLess(early, 0.1, word)
            self.assertLess(abs(middle - 1 / 3), 0.09, word)
            self.assertLess(abs(late - 0.5), 0.09, word)

    def share(self, bench: LoadBench, name: str, number: int) -> float:
        leases = [bench.pool.acquire() for _ in range(number)]
        for lease in leases:
            lease.release()
        return sum(lease.host.name == name for lease in leases) / number

    def test_weightMeanwhile(self) -> None:
        """
        A new weight while a host grows is what it grows to.
        """
        bench = LoadBench("a", slowStart=10.0)
        bench.pool.addHost(ProxyHost("b", "127.0.0.1", 1, 10))
        bench.wait(5.0)
        bench.pool.setWeight("b", 100)
        self.assertAlmostEqual(bench.weight("b"), 52.5)
        bench.pool.setWeight("b", 0)
        self.assertEqual(bench.state("b"), "drain")
        bench.pool.setWeight("b", 20)
        bench.wait(5.0)
        self.assertEqual(bench.weight("b"), 20.0)

    def test_removedMeanwhile(self) -> None:
        """
        A host that is removed while it grows leaves nothing to do for long.
        """
        bench = LoadBench("a", slowStart=10.0)
        bench.pool.addHost(ProxyHost("b", "127.0.0.1", 1))
        bench.pool.removeHost("b")
        bench.wait(1.0)
        self.assertIsNone(bench.pool.nextDeadline())
        self.assertEqual(bench.told(), ["host-added b", "host-removed b", "host-gone b"])

    def test_setLive(self) -> None:
        """
        Slow start that is switched off ends with the next step.
        """
        bench = LoadBench("a", slowStart=10.0)
        bench.pool.addHost(ProxyHost("b", "127.0.0.1", 1))
        bench.pool.settings = replace(bench.pool.settings, slowStart=0.0)
        bench.wait(0.5)
        self.assertEqual(bench.weight("b"), 1.0)

    def test_lateAdvance(self) -> None:
        """
        However late it is told the time, one call takes all steps that are due.
        """
        bench = LoadBench("a", slowStart=10.0)
        bench.pool.addHost(ProxyHost("b", "127.0.0.1", 1))
        bench.now += 1000
        bench.pool.advance(bench.now)
        self.assertEqual(bench.weight("b"), 1.0)
        self.assertIsNone(bench.pool.nextDeadline())

    def test_onClaim(self) -> None:
        """
        Steps that are due are taken before a choice is made.
        """
        bench = LoadBench(slowStart=10.0)
        bench.pool.addHost(ProxyHost("b", "127.0.0.1", 1))
        bench.now += 10
        bench.pool.acquire().release()
        self.assertEqual(bench.weight("b"), 1.0)

    def test_tooSmall(self) -> None:
        """
        A slow start that is too short for the clock is none.
        """
        for slowStart in (5e-324, 1e-300, 1e-12):
            self.assertEqual(_grown(1e6, slowStart, 1e6)[1], None)

    @given(st.floats(0.001, 1e5), st.floats(0, 1e7), st.floats(0, 1.1))
    def test_steps(self, slowStart: float, since: float, part: float) -> None:
        """
        The share is above 0, within a step of the straight line, and the next
        step lies ahead.
        """
        now = since + part * slowStart
        share, until = _grown(since, slowStart, now)
        self.assertGreater(share, 0)
        self.assertLessEqual(share, 1)
        if until is None:
            self.assertEqual(share, 1.0)
            self.assertTrue(part > 1 - 2 / STEPS or slowStart < 0.1)
        else:
            self.assertGreater(until, now)
            self.assertLessEqual(until, since + slowStart)
            exact = (now - since) / slowStart
            self.assertLessEqual(abs(share - exact), 1.01 / STEPS)


class LoadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.bench = LoadBench("a", "b", resource=ResourceProbe(interval=2.0, smoothing=0.5))
        self.pool = self.bench.pool

    def test_first(self) -> None:
        """
        The first report counts as it is.
        """
        self.pool.reportLoad("a", 0.25)
        self.assertEqual(self.bench.weight("a"), 0.25)
        self.assertEqual(self.bench.weight("b"), 1.0)
        self.assertEqual(self.bench.told(), ["host-load-known a"])

    def test_smoothed(self) -> None:
        """
        Later ones move the average by their share.
        """
        self.pool.reportLoad("a", 1.0)
        for expected in (0.6, 0.4, 0.3):
            self.pool.reportLoad("a", 0.2)
            self.assertAlmostEqual(self.bench.weight("a"), expected)
        self.assertEqual(self.bench.told(), ["host-load-known a"])

    def test_weight(self) -> None:
        """
        A load is a share of the configured weight.
        """
        self.pool.reportLoad("a", 0.5)
        self.pool.setWeight("a", 100)
        self.assertEqual(self.bench.weight("a"), 50.0)

    def test_withSlowStart(self) -> None:
        """
        Slow start and load come together.
        """
        bench = LoadBench("a", slowStart=10.0)
        bench.pool.addHost(ProxyHost("b", "127.0.0.1", 1, 100))
        bench.pool.reportLoad("b", 0.5)
        bench.wait(5.0)
        self.assertAlmostEqual(bench.weight("b"), 26.25)

    def test_unheard(self) -> None:
        """
        After three intervals without news the configured weight counts again,
        and it is told once.
        """
        self.pool.reportLoad("a", 0.5)
        self.bench.told()
        self.bench.wait(5.9)
        self.assertEqual(self.bench.weight("a"), 0.5)
        self.bench.wait(0.1)
        self.assertEqual(self.bench.weight("a"), 1.0)
        self.assertEqual(self.bench.told(), ["host-load-lost a"])
        self.assertIsNone(self.pool.nextDeadline())
        self.bench.wait(100)
        self.assertEqual(self.bench.told(), [])
        self.pool.reportLoad("a", 0.3)
        self.assertEqual(self.bench.weight("a"), 0.3)
        self.assertEqual(self.bench.told(), ["host-load-known a"])

    def test_dueWhenTold(self) -> None:
        """
        Whoever is told of a load that is known, or of a host that grows, finds
        the time at which something is due next.
        """
        due: list[float | None] = []
        bench = LoadBench("a", slowStart=10.0)

        def told(event: Event) -> None:
            due.append(bench.pool.nextDeadline() if event.key else None)

        bench.pool._announcer.publish = told
        bench.pool.reportLoad("a", 0.5)
        bench.pool.addHost(ProxyHost("b", "127.0.0.1", 1))
        self.assertEqual(due, [bench.now + 6.0, bench.now + 0.5])

    def test_heardAgain(self) -> None:
        """
        Reports that go on coming keep it known.
        """
        for _ in range(20):
            self.pool.reportLoad("a", 0.5)
            self.bench.wait(5.0)
        self.assertEqual(self.bench.told(), ["host-load-known a"])
        self.assertEqual(self.bench.weight("a"), 0.5)

    def test_nothingLeft(self) -> None:
        """
        A host that has nothing left gets nothing new, until it has or nothing
        is heard of it any more.
        """
        self.pool.reportLoad("a", 0.0)
        self.assertEqual(self.bench.state("a"), "full")
        self.assertEqual({self.pool.acquire().host.name for _ in range(20)}, {"b"})
        self.pool.reportLoad("a", 0.5)
        self.assertEqual(self.bench.state("a"), "unchecked")
        self.pool.reportLoad("a", 0.0)
        self.bench.wait(6.0)
        self.assertEqual(self.bench.state("a"), "unchecked")
        self.assertEqual(self.bench.weight("a"), 1.0)

    def test_nobodyHas(self) -> None:
        """
        Loads alone never leave a client without a host: where all have nothing
        left they are tried all the same, and their marks stay as they are.
        """
        for name in "ab":
            self.pool.reportLoad(name, 0.0)
        self.assertEqual(self.pool.readyCount, 0)
        chosen = [self.pool.acquire() for _ in range(4)]
        self.assertEqual({lease.host.name for lease in chosen}, {"a", "b"})
        for lease in chosen:
            lease.release()
        self.assertTrue(all(host.passive.isUp for host in self.pool.hosts))

    def test_nobodyHasAndClose(self) -> None:
        """
        Unless it is configured that they are not.
        """
        bench = LoadBench("a", whenAllDown="close")
        bench.pool.reportLoad("a", 0.0)
        self.assertIsNone(bench.pool.claim(None, frozenset()))

    def test_small(self) -> None:
        """
        A weight never comes near 0 by smoothing alone.
        """
        self.pool.reportLoad("a", 0.0)
        self.pool.reportLoad("a", 1e-9)
        self.assertEqual(self.bench.weight("a"), LEAST_SHARE)
        self.assertEqual(self.bench.state("a"), "unchecked")

    def test_wrong(self) -> None:
        for wrong in (-0.1, 1.1, math.nan, math.inf):
            self.assertRaises(ValueError, self.pool.reportLoad, "a", wrong)
        self.assertRaises(UnknownName, self.pool.reportLoad, "c", 0.5)

    def test_snapshot(self) -> None:
        self.pool.reportLoad("a", 0.25)
        self.bench.now += 1.5
        first, second = self.pool.snapshot().hosts
        self.assertEqual((first.load, first.loadAge, first.effectiveWeight), (0.75, 1.5, 0.25))
        self.assertEqual((second.load, second.loadAge), (None, None))

    def test_removed(self) -> None:
        """
        A host that left is weighed no more.
        """
        lease = self.pool.claim(None, frozenset({self.pool.getHost("b").key}))
        assert lease is not None
        self.pool.reportLoad("a", 0.5)
        self.pool.removeHost("a")
        self.bench.told()
        self.bench.wait(10.0)
        self.assertEqual(self.bench.told(), [])
        self.assertIsNone(self.pool.nextDeadline())
        self.pool._weighing.refresh(lease.host, self.bench.now)
        lease.release()

    def test_bounded(self) -> None:
        """
        Hosts that come and go leave nothing behind, nor do reports.
        """
        for number in range(1000):
            self.pool.addHost(ProxyHost(f"h{number}", "127.0.0.1", 1))
            self.pool.reportLoad(f"h{number}", 0.5)
            self.pool.reportLoad(f"h{number}", 0.6)
            self.pool.removeHost(f"h{number}")
        self.assertLessEqual(len(self.pool._choiceTimers.entries), CROWD + 1)


class CheckedTests(SynchronousTestCase):
    """
    Slow start of hosts that are checked.
    """

    PASSED = CheckResult(True, "connected", 0.01)
    FAILED = CheckResult(False, "refused", 0.01)

    def setUp(self) -> None:
        self.bench = LoadBench("a", "b", slowStart=10.0)

    def check(self, name: str, *passed: bool) -> None:
        for each in passed:
            self.bench.pool.reportCheck(name, self.PASSED if each else self.FAILED)

    def test_cameBack(self) -> None:
        self.check("a", False, False, False)
        self.assertEqual(self.bench.state("a"), "down")
        self.check("a", True, True)
        self.assertEqual(self.bench.state("a"), "up")
        self.assertLess(self.bench.weight("a"), 0.1)
        self.bench.wait(10.0)
        self.assertEqual(self.bench.weight("a"), 1.0)

    def test_stayedIn(self) -> None:
        """
        A host that was not put out has its whole weight.
        """
        self.check("a", True, False, False, True)
        self.assertEqual(self.bench.weight("a"), 1.0)

    def test_unwatched(self) -> None:
        self.check("a", False, False, False)
        self.bench.pool.unwatch("a")
        self.assertLess(self.bench.weight("a"), 0.1)
        self.bench.pool.watch("b")
        self.bench.pool.unwatch("b")
        self.assertEqual(self.bench.weight("b"), 1.0)
