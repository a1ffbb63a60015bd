"""
Tests for L{txlb.pool._health}, and for what the pool makes of checks.
"""

from __future__ import annotations

from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from tests.pool.kit import REFUSED, Bench
from txlb.errors import UnknownName
from txlb.pool import Attempt, CheckResult, HealthState
from txlb.pool._health import HEALTHY, TRANSITIONS, Health, HealthEvent

STARTING, UP, GOING_DOWN = HealthState.STARTING, HealthState.UP, HealthState.GOING_DOWN
DOWN, COMING_UP = HealthState.DOWN, HealthState.COMING_UP

#: The table, written down once more: where both say the same, it is meant.
TABLE = {
    (UP, HealthEvent.AWAITED): STARTING,
    (STARTING, HealthEvent.ROSE): UP,
    (STARTING, HealthEvent.FELL): DOWN,
    (UP, HealthEvent.FAILED): GOING_DOWN,
    (UP, HealthEvent.FELL): DOWN,
    (GOING_DOWN, HealthEvent.PASSED): UP,
    (GOING_DOWN, HealthEvent.FELL): DOWN,
    (DOWN, HealthEvent.PASSED): COMING_UP,
    (DOWN, HealthEvent.ROSE): UP,
    (COMING_UP, HealthEvent.FAILED): DOWN,
    (COMING_UP, HealthEvent.FELL): DOWN,
    (COMING_UP, HealthEvent.ROSE): UP,
    (STARTING, HealthEvent.UNWATCHED): UP,
    (GOING_DOWN, HealthEvent.UNWATCHED): UP,
    (DOWN, HealthEvent.UNWATCHED): UP,
    (COMING_UP, HealthEvent.UNWATCHED): UP,
}

#: How a new health gets into each state.
WAYS = {
    UP: (),
    STARTING: (HealthEvent.AWAITED,),
    GOING_DOWN: (HealthEvent.FAILED,),
    DOWN: (HealthEvent.FELL,),
    COMING_UP: (HealthEvent.FELL, HealthEvent.PASSED),
}

PASSED = CheckResult(True, "connected", 0.001)
FAILED = CheckResult(False, "connection refused", 0.002)


class TableTests(SynchronousTestCase):
    def test_everyPair(self) -> None:
        """
        Each line of the table does what it says, each pair without a line
        changes nothing.
        """
        self.assertEqual(TRANSITIONS, TABLE)
        self.assertEqual(HEALTHY, {UP, GOING_DOWN})
        for state, event in product(HealthState, HealthEvent):
            health = Health(100.0)
            for way in WAYS[state]:
                self.assertTrue(health.happened(way, 100.0))
            self.assertIs(health.state, state)
            wanted = TABLE.get((state, event))
            self.assertEqual(health.happened(event, 200.0), wanted is not None, (state, event))
            self.assertIs(health.state, wanted or state)
            self.assertEqual(health.since, 100.0 if wanted is None else 200.0)

    def test_words(self) -> None:
        words = [state.value for state in HealthState]
        self.assertEqual(words, ["starting", "up", "going-down", "down", "coming-up"])


class ReportTests(SynchronousTestCase):
    def report(self, bench: Bench, *results: CheckResult, name: str = "a") -> list[str]:
        """
        @return: the states after each result.
        """
        states = []
        for result in results:
            bench.now += 2
            bench.pool.reportCheck(name, result)
            states.append(bench.pool.getHost(name).health.state.value)
        return states

    def test_downAndUp(self) -> None:
        """
        After C{fall} failures in a row a host is out, after C{rise} successes
        it is in; each flip is one event with what the check found.
        """
        bench = Bench("a", "b")
        bench.pool.watch("a", rise=2, fall=3)
        self.assertEqual(
            self.report(bench, FAILED, FAILED, PASSED, FAILED, FAILED),
            ["going-down", "going-down", "up", "going-down", "going-down"],
        )
        self.assertEqual((bench.told(), bench.pool.readyCount), ([], 2))
        bench.now += 2
        bench.pool.reportCheck("a", FAILED)
        (event,) = bench.events
        self.assertEqual(
            event.message,
            "check failed in 0.002 s: connection refused; 1 ready hosts left",
        )
        self.assertEqual((bench.told(), bench.state("a")), (["host-down a"], "down"))
        self.assertEqual(bench.pool.getHost("a").reason, str(FAILED))
        self.assertEqual({bench.pool.acquire().host.name for _ in range(5)}, {"b"})
        self.assertEqual(
            self.report(bench, PASSED, FAILED, PASSED), ["coming-up", "down", "coming-up"]
        )
        self.assertEqual(bench.told(), [])
        self.assertEqual(self.report(bench, PASSED), ["up"])
        self.assertEqual((bench.told(), bench.pool.readyCount), (["host-up a"], 2))
        self.assertEqual(bench.pool.getHost("a").reason, "")

    def test_unwatched(self) -> None:
        """
        The first report begins to watch a host; one that is watched no more
        counts as up.
        """
        bench = Bench("a", "b")
        self.assertFalse(bench.pool.getHost("a").health.watched)
        self.report(bench, FAILED, FAILED, FAILED)
        self.assertTrue(bench.pool.getHost("a").health.watched)
        self.assertEqual(bench.told(), ["host-down a"])
        bench.pool.unwatch("a")
        self.assertEqual((bench.told(), bench.state("a")), (["host-up a"], "unchecked"))
        bench.pool.unwatch("a")
        self.assertEqual((bench.told(), bench.pool.readyCount), ([], 2))
        for call in (bench.pool.watch, bench.pool.unwatch):
            self.assertRaises(UnknownName, call, "x")

    def test_trafficOfWatched(self) -> None:
        """
        Traffic puts a host out that is checked, and C{rise} successes of its
        checks put it in again; no client is its trial, however late it is.
        """
        bench = Bench("a", "b", passiveFall=2)
        bench.pool.watch("a", rise=2)
        self.report(bench, PASSED, PASSED, PASSED)
        bench.fell("a")
        self.assertEqual(bench.state("a"), "up")
        bench.fell("a")
        self.assertEqual((bench.told(), bench.state("a")), (["host-down a"], "down"))
        self.assertEqual(bench.pool.getHost("a").reason, str(REFUSED))
        self.assertIsNone(bench.pool.nextDeadline())
        bench.now += 100
        bench.pool.advance(bench.now)
        self.assertEqual({bench.pool.acquire().host.name for _ in range(5)}, {"b"})
        self.assertEqual(self.report(bench, PASSED, PASSED), ["coming-up", "up"])
        self.assertEqual(bench.told(), ["host-up a"])

    def test_watchedWhileMarked(self) -> None:
        """
        A host that traffic has put out before it is checked comes in by its
        checks.
        """
        bench = Bench("a", "b")
        bench.fell("a")
        bench.now += 1
        bench.pool.advance(bench.now)
        bench.pool.watch("a")
        self.assertEqual((bench.state("a"), bench.pool.readyCount), ("down", 1))
        self.assertEqual(bench.pool.getHost("a").reason, str(REFUSED))
        self.assertEqual(self.report(bench, PASSED, PASSED), ["coming-up", "up"])

    def test_allDown(self) -> None:
        """
        Where all are out, those that checks have put out are tried too.
        """
        bench = Bench("a", "b")
        for name in "ab":
            self.report(bench, FAILED, FAILED, FAILED, name=name)
        self.assertEqual(bench.pool.readyCount, 0)
        attempt = bench.attempt()
        self.assertIsInstance(attempt, Attempt)
        attempt.connected().release()
        self.assertEqual(bench.state(attempt.host.name), "down")
