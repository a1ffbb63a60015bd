"""
Tests for what people want of hosts, for backups, and for when all are down.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.pool.kit import REFUSED, Bench
from txlb.errors import ModelError
from txlb.model import ProxyHost
from txlb.pool import CheckResult, EventKind, GaveUp, GaveUpReason, Host, Outcome

PASSED = CheckResult(True, "connected", 0.001)


FAILED = CheckResult(False, "connection refused", 0.001)


class CutBench(Bench):
    """
    One that writes down whose connections were to be reset.
    """

    def __init__(self, *names: str, **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.cuts: list[tuple[str, Outcome]] = []
        self.pool.cut = self._cut

    def _cut(self, host: Host, outcome: Outcome) -> None:
        self.cuts.append((host.name, outcome))


class WantedTests(SynchronousTestCase):
    def test_drain(self) -> None:
        """
        A host that drains gets nothing new, and its last connection ends the
        draining.
        """
        bench = CutBench("a", "b")
        leases = [bench.pool.acquire() for _ in range(4)]
        bench.pool.setState("a", "drain")
        (event,) = bench.events
        self.assertEqual(
            (event.kind, event.message, dict(event.details)),
            (
                EventKind.HOST_STATE,
                "ready -> drain, 2 connections left",
                {"before": "ready", "after": "drain"},
            ),
        )
        self.assertEqual((bench.state("a"), bench.pool.readyCount), ("drain", 1))
        self.assertEqual({bench.pool.acquire().host.name for _ in range(4)}, {"b"})
        bench.told()
        for lease in leases:
            lease.release()
        self.assertEqual((bench.told(), bench.cuts), (["host-drained a"], []))
        bench.pool.setState("a", "ready")
        self.assertEqual((bench.told(), bench.state("a")), (["host-state a"], "up"))
        self.assertEqual(bench.pool.getHost("a").configured.state, "ready")

    def test_idle(self) -> None:
        """
        Without connections it is done at once; saying it again says nothing.
        """
        bench = Bench("a", "b")
        bench.pool.setState("a", "maintenance")
        self.assertEqual(bench.told(), ["host-state a", "host-drained a"])
        self.assertEqual(bench.state("a"), "maintenance")
        bench.pool.setState("a", "maintenance")
        bench.pool.setState("a", "drain")
        self.assertEqual(bench.told(), ["host-state a"])
        self.assertRaises(ModelError, bench.pool.setState, "a", "gone")

    def test_deadline(self) -> None:
        """
        What is left at the deadline is reset; before that nothing is.
        """
        bench = CutBench("a", "b")
        lease = bench.pool.acquire()
        bench.pool.setState("a", "drain", 30.0)
        self.assertEqual(bench.pool.nextDeadline(), 1030.0)
        bench.now = 1029.9
        bench.pool.advance(bench.now)
        self.assertEqual(bench.cuts, [])
        bench.now = 1030.0
        bench.pool.advance(bench.now)
        self.assertEqual(bench.cuts, [("a", Outcome.DRAIN_TIMEOUT)])
        self.assertIsNone(bench.pool.nextDeadline())
        lease.release(Outcome.DRAIN_TIMEOUT)
        self.assertEqual(bench.told()[-1], "host-drained a")

    def test_deadlineTakenBack(self) -> None:
        """
        A host that is ready again before its deadline keeps its connections.
        """
        bench = CutBench("a", "b")
        bench.pool.acquire()
        bench.pool.setState("a", "drain", 30.0)
        bench.pool.setState("a", "ready")
        self.assertIsNone(bench.pool.nextDeadline())
        bench.pool.setState("a", "drain", 30.0)
        for lease in [bench.pool.acquire() for _ in range(2)]:
            lease.release()
        bench.now += 40
        bench.pool.advance(bench.now)
        self.assertEqual(bench.cuts, [("a", Outcome.DRAIN_TIMEOUT)])

    def test_deadlineStands(self) -> None:
        """
        A deadline is a promise: a change of weight or address, maintenance and the
        removal of the host leave it as it is. A newer deadline replaces it.
        """
        for change in (
            lambda pool: pool.setWeight("a", 7),
            lambda pool: pool.changeHost(ProxyHost("a", "127.0.0.9", 1, state="drain")),
            lambda pool: pool.setState("a", "maintenance"),
            lambda pool: pool.removeHost("a"),
            lambda pool: pool.follow(replace(pool.settings, hosts=())),
            lambda pool: pool.setScheduler("roundr"),
        ):
            bench = CutBench("a", "b")
            bench.pool.acquire()
            bench.pool.setState("a", "drain", 30.0)
            bench.now += 10
            change(bench.pool)
            self.assertEqual(bench.pool.nextDeadline(), 1030.0)
            [left] = [host.drainedIn for host in bench.pool.hostSnapshots() if host.name == "a"]
            self.assertEqual(left, 20.0)
            bench.now += 20
            bench.pool.advance(bench.now)
            self.assertEqual(bench.cuts, [("a", Outcome.DRAIN_TIMEOUT)])
        bench = CutBench("a", "b")
        bench.pool.acquire()
        bench.pool.setState("a", "drain", 30.0)
        bench.pool.setState("a", "maintenance", 5.0)
        self.assertEqual(bench.pool.nextDeadline(), 1005.0)

    def test_deadlineAfterwards(self) -> None:
        """
        A deadline for a host that drains already is a change, and its event names
        the deadline. Without connections there is nothing to reset, and no change.
        """
        bench = CutBench("a", "b")
        lease = bench.pool.acquire()
        bench.pool.setState("a", "drain")
        bench.told()
        bench.pool.setState("a", "drain", 30.0)
        (event,) = bench.events
        self.assertEqual(
            (str(event), dict(event.details)),
            (
                "host-state web/g/a: drain, 1 connections left, reset in 30 s",
                {"before": "drain", "after": "drain", "deadline": 30.0},
            ),
        )
        bench.pool.removeHost("a")
        self.assertEqual(bench.events[1].message, "removed, 1 connections left, reset in 30 s")
        self.assertEqual(bench.events[1].details["deadline"], 30.0)
        lease.release()
        bench.pool.setState("b", "drain")
        bench.told()
        bench.pool.setState("b", "drain", 30.0)
        self.assertEqual((bench.told(), bench.pool.nextDeadline()), ([], None))

    def test_doneBeforeTheDeadline(self) -> None:
        bench = CutBench("a", "b")
        lease = bench.pool.acquire()
        bench.pool.setState("a", "drain", 30.0)
        lease.release()
        self.assertIsNone(bench.pool.nextDeadline())

    def test_remove(self) -> None:
        """
        Removing drains; with a deadline what is left then is reset, by force at
        once.
        """
        bench = CutBench("a", "b", "c")
        leases = [bench.pool.acquire() for _ in range(3)]
        bench.pool.removeHost("a")
        bench.pool.removeHost("b", deadline=10.0)
        bench.pool.removeHost("c", force=True)
        self.assertEqual(bench.cuts, [("c", Outcome.REMOVED)])
        bench.now += 10
        bench.pool.advance(bench.now)
        self.assertEqual(bench.cuts[1:], [("b", Outcome.DRAIN_TIMEOUT)])
        for lease in leases:
            lease.release()
        self.assertEqual(bench.pool.leaving, [])

    def test_maintenance(self) -> None:
        """
        Checks of a host in maintenance count nothing; afterwards it goes on
        from where it was.
        """
        bench = Bench("a", "b")
        bench.pool.watch("a", rise=1, fall=1)
        bench.pool.setState("a", "maintenance")
        bench.pool.reportCheck("a", FAILED)
        bench.pool.setState("a", "ready")
        self.assertEqual(bench.state("a"), "unchecked")

    def test_whenDown(self) -> None:
        """
        With C{close} the connections of a host that went down are reset.
        """
        for whenDown, cuts in (("keep", []), ("close", [("a", Outcome.HOST_DOWN)])):
            bench = CutBench("a", "b", whenDown=whenDown)
            bench.pool.acquire()
            bench.fell("a")
            self.assertEqual(bench.cuts, cuts)

    def test_nobodyCanCut(self) -> None:
        """
        A pool for itself has nobody who resets anything.
        """
        bench = Bench("a", whenDown="close")
        lease = bench.pool.acquire()
        bench.pool.removeHost("a", force=True)
        lease.release()
        self.assertEqual(bench.pool.leaving, [])

    def test_upShare(self) -> None:
        """
        The share of its time that a host was in.
        """
        bench = Bench("a", "b")
        self.assertEqual(bench.pool.getHost("a").upShare(bench.now), 1.0)
        bench.now += 30
        bench.fell("a")
        bench.now += 10
        snapshot = bench.pool.snapshot().hosts[0]
        self.assertAlmostEqual(snapshot.upShare, 0.75)
        bench.pool.advance(bench.now)
        others = frozenset({bench.pool.getHost("b").key})
        lease = bench.pool.claim(None, others)
        assert lease is not None
        bench.pool.reportConnected(lease)
        bench.now += 60
        self.assertAlmostEqual(bench.pool.getHost("a").upShare(bench.now), 0.9)


class FirstCheckTests(SynchronousTestCase):
    def test_check(self) -> None:
        """
        With C{initialState=check} a host that is checked gets nobody before its
        first check has passed, not even where there is no other.
        """
        bench = Bench("a", initialState="check")
        self.assertEqual(bench.state("a"), "unchecked")
        bench.pool.watch("a", rise=3, fall=3)
        self.assertEqual((bench.state("a"), bench.pool.readyCount), ("starting", 0))
        self.assertEqual(bench.dial().start(), GaveUp(GaveUpReason.NO_HOST))
        bench.told()
        bench.pool.reportCheck("a", PASSED)
        self.assertEqual((bench.state("a"), bench.told()), ("up", ["host-up a", "group-up g"]))

    def test_firstFails(self) -> None:
        """
        The first that fails puts it out, and then it may be tried in need.
        """
        bench = Bench("a", initialState="check")
        bench.pool.watch("a", rise=2, fall=3)
        bench.told()
        bench.pool.reportCheck("a", FAILED)
        self.assertEqual((bench.state("a"), bench.told()), ("down", ["host-down a"]))
        self.assertEqual(bench.attempt().host.name, "a")
        bench.pool.reportCheck("a", PASSED)
        self.assertEqual(bench.state("a"), "coming-up")

    def test_unwatched(self) -> None:
        bench = Bench("a", initialState="check")
        bench.pool.watch("a")
        bench.pool.unwatch("a")
        self.assertEqual((bench.state("a"), bench.pool.readyCount), ("unchecked", 1))

    def test_afterMaintenance(self) -> None:
        """
        What comes out of maintenance is checked first as well.
        """
        bench = Bench("a", initialState="check")
        bench.pool.watch("a")
        bench.pool.reportCheck("a", PASSED)
        bench.pool.setState("a", "maintenance")
        bench.pool.setState("a", "ready")
        self.assertEqual(bench.state("a"), "starting")


class AnswerTests(SynchronousTestCase):
    """
    Hosts that close connections without an answer.
    """

    def work(
        self,
        bench: Bench,
        outcome: Outcome = Outcome.DONE,
        *,
        name: str = "a",
        bytesIn: int = 10,
        bytesOut: int = 0,
        hostFirst: bool = True,
        lasts: float = 0.0,
    ) -> None:
        others = frozenset(host.key for host in bench.pool.hosts if host.name != name)
        lease = bench.pool.claim(None, others)
        assert lease is not None
        bench.pool.reportConnected(lease)
        bench.now += lasts
        if bytesIn or bytesOut:
            lease.add(bytesIn, bytesOut)
        lease.hostFirst = hostFirst
        lease.release(outcome)

    def test_putOut(self) -> None:
        """
        So many in a row put a host out; an answer in between forgives.
        """
        bench = Bench("a", "b", "c", expectAnswer=True, answerFall=3)
        for _ in range(2):
            self.work(bench)
        self.work(bench, bytesOut=1)
        for _ in range(2):
            self.work(bench, Outcome.HOST_RESET)
        self.assertEqual((bench.state("a"), bench.told()), ("up", []))
        self.work(bench)
        (event,) = bench.events
        self.assertIn("3 connections in a row had no answer or a bad one", event.message)
        self.assertEqual(bench.state("a"), "down")

    def test_notAsked(self) -> None:
        """
        Where the protocol isn't said to answer, nothing follows.
        """
        bench = Bench("a", "b")
        for _ in range(50):
            self.work(bench)
        self.assertEqual(bench.state("a"), "up")

    def test_notItsFault(self) -> None:
        """
        Clients that close first, or say nothing for long, tell nothing.
        """
        bench = Bench("a", "b", expectAnswer=True, answerFall=1)
        self.work(bench, hostFirst=False)
        self.work(bench, Outcome.CLIENT_RESET)
        self.work(bench, Outcome.IDLE_TIMEOUT)
        self.work(bench, bytesIn=0, lasts=60.0)
        self.assertEqual(bench.state("a"), "up")
        self.work(bench, bytesIn=0)
        self.assertEqual(bench.state("a"), "down")

    def test_bounds(self) -> None:
        """
        Of six hosts two at most are put out so, and never the last one.
        """
        bench = Bench(*"abcdef", expectAnswer=True, answerFall=1)
        for name in "abcdef":
            self.work(bench, name=name)
        self.assertEqual([bench.state(name) for name in "abcdef"], ["down"] * 2 + ["up"] * 4)
        alone = Bench("a", expectAnswer=True, answerFall=1)
        for _ in range(10):
            self.work(alone)
        self.assertEqual(alone.state("a"), "up")
        pair = Bench("a", "b", expectAnswer=True, answerFall=1)
        pair.fell("b")
        self.work(pair)
        self.assertEqual((pair.state("a"), pair.state("b")), ("up", "down"))

    def test_comesBack(self) -> None:
        """
        The next success of connecting is a trial as ever; closed once more
        without an answer it is out again at once, and held.
        """
        bench = Bench("a", "b", expectAnswer=True, answerFall=3)
        for _ in range(3):
            self.work(bench)
        bench.now += 1
        bench.pool.advance(bench.now)
        self.work(bench)
        self.assertEqual(bench.state("a"), "down")
        self.assertEqual(bench.told(), ["host-down a", "host-trial a", "host-up a", "host-down a"])

    def test_watched(self) -> None:
        """
        Where it is checked, its checks bring it back.
        """
        bench = Bench("a", "b", expectAnswer=True, answerFall=1)
        bench.pool.watch("a", rise=2)
        self.work(bench)
        self.assertEqual(bench.state("a"), "down")
        self.assertTrue(bench.pool.getHost("a").blamed)
        for _ in range(2):
            bench.pool.reportCheck("a", PASSED)
        self.assertEqual(bench.state("a"), "up")
        self.assertFalse(bench.pool.getHost("a").blamed)

    def test_live(self) -> None:
        bench = Bench("a", "b", answerFall=1)
        bench.pool.setSettings(replace(bench.pool.settings, expectAnswer=True))
        self.work(bench)
        self.assertEqual(bench.state("a"), "down")

    def test_watchedFallsTwice(self) -> None:
        """
        Traffic that fails while checks bring a host back starts them anew.
        """
        bench = Bench("a", "b")
        bench.pool.watch("a", rise=2)
        bench.fell("a")
        bench.pool.reportCheck("a", PASSED)
        lease = bench.pool.acquire()
        self.assertEqual(lease.host.name, "b")
        bench.pool.setWeight("b", 0)
        attempt = bench.attempt()
        self.assertEqual(attempt.host.name, "a")
        attempt.failed(REFUSED)
        self.assertEqual(bench.state("a"), "down")
        bench.pool.reportCheck("a", PASSED)
        self.assertEqual(bench.state("a"), "coming-up")
