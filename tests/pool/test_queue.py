"""
Tests for clients that wait for room, and for circuits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.pool.kit import PATIENT, REFUSED, Bench
from txlb.model import ProxyHost
from txlb.pool import (
    Attempt,
    Dial,
    DialLimits,
    GaveUp,
    GaveUpReason,
    Lease,
    Step,
    Waiting,
)
from txlb.pool._timers import CROWD


class QueueBench(Bench):
    """
    A pool whose hosts take one connection each, with clients who wait.
    """

    def __init__(self, *names: str, maxQueue: int = 3, room: int = 1, **settings: Any) -> None:
        super().__init__(maxQueue=maxQueue, **settings)
        for place, name in enumerate(names):
            self.pool.addHost(ProxyHost(name, "127.0.0.1", 7000 + place, 1, room))
        self.woken: list[tuple[str, Step]] = []
        self.events.clear()

    def wait(self, who: str, limits: DialLimits = PATIENT) -> Waiting:
        """
        A client has to wait.
        """
        waiting = self.dial(limits, who).start()
        assert isinstance(waiting, Waiting), waiting
        return self.listen(who, waiting)

    def listen(self, who: str, waiting: Waiting) -> Waiting:
        waiting.whenWoken(lambda step: self.woken.append((who, step)))
        return waiting

    def connected(self) -> Lease:
        return self.attempt().connected()

    def served(self) -> str:
        """
        Who was woken with a host, in that order.
        """
        return "".join(who for who, step in self.woken if isinstance(step, Attempt))

    def gaveUp(self) -> list[tuple[str, GaveUpReason]]:
        return [(who, step.reason) for who, step in self.woken if isinstance(step, GaveUp)]


class QueueTests(SynchronousTestCase):
    def test_order(self) -> None:
        """
        First come, first served; the count of the host is never over its limit.
        """
        bench = QueueBench("a")
        lease = bench.connected()
        for who in "xyz":
            bench.wait(who)
        self.assertEqual(bench.pool.snapshot().waiting, 3)
        for number in range(3):
            lease.release()
            self.assertEqual(bench.served(), "xyz"[: number + 1])
            self.assertEqual(bench.pool.getHost("a").active, 1)
            step = bench.woken[-1][1]
            assert isinstance(step, Attempt)
            lease = step.connected()
        lease.release()
        self.assertEqual((bench.pool.active, bench.pool.snapshot().waiting), (0, 0))

    def test_full(self) -> None:
        """
        Over the length of the queue a client is closed, and likewise where
        there is no queue.
        """
        bench = QueueBench("a", maxQueue=1)
        bench.connected()
        bench.wait("x")
        self.assertEqual(bench.dial().start(), GaveUp(GaveUpReason.FULL))
        none = QueueBench("a", maxQueue=0)
        none.connected()
        self.assertEqual(none.dial().start(), GaveUp(GaveUpReason.FULL))

    def test_timeout(self) -> None:
        """
        After C{queueTimeout} the wait is over, or before where the search may
        not last for so long.
        """
        bench = QueueBench("a", queueTimeout=5.0)
        bench.connected()
        bench.wait("x")
        bench.wait("y", DialLimits(dialTimeout=2.0))
        self.assertEqual(bench.pool.nextDeadline(), 1002.0)
        bench.now = 1002.0
        bench.pool.advance(bench.now)
        self.assertEqual(bench.gaveUp(), [("y", GaveUpReason.QUEUE_TIMEOUT)])
        self.assertEqual(bench.pool.nextDeadline(), 1005.0)
        bench.now = 1005.0
        bench.pool.advance(bench.now)
        self.assertEqual([who for who, _ in bench.gaveUp()], ["y", "x"])
        self.assertIsNone(bench.pool.nextDeadline())

    def test_wakeBy(self) -> None:
        """
        Whoever keeps time is told by when, as no event says so.
        """
        bench = QueueBench("a", queueTimeout=5.0)
        told: list[float] = []
        bench.pool.wakeBy = told.append
        bench.connected()
        bench.wait("x")
        self.assertEqual(told, [1005.0])

    def test_left(self) -> None:
        """
        A client that leaves is forgotten, and is never called.
        """
        bench = QueueBench("a", maxQueue=1)
        lease = bench.connected()
        bench.wait("x").dial.cancel()
        bench.wait("y").cancel()
        bench.wait("z")
        lease.release()
        self.assertEqual(bench.served(), "z")

    def test_manyLeave(self) -> None:
        """
        Those who left leave no pile of deadlines.
        """
        bench = QueueBench("a", maxQueue=2)
        bench.connected()
        for number in range(10 * CROWD):
            bench.wait(str(number)).cancel()
        self.assertLessEqual(len(bench.pool._timers.entries), CROWD + 1)
        self.assertIsNone(bench.pool.nextDeadline())

    def test_afterFailure(self) -> None:
        """
        Who could not reach one host waits for another; the one that it could
        not reach lets the next client by.
        """
        bench = QueueBench("a", "b", passiveFall=2)
        second = bench.connected()
        self.assertEqual(second.host.name, "a")
        attempt = bench.attempt()
        self.assertEqual(attempt.host.name, "b")
        waiting = attempt.failed(REFUSED)
        assert isinstance(waiting, Waiting)
        bench.listen("x", waiting)
        attempt = bench.attempt()
        self.assertEqual(attempt.host.name, "b")
        bench.wait("y")
        attempt.connected().release()
        self.assertEqual(bench.served(), "y")
        second.release()
        self.assertEqual(bench.served(), "yx")
        step = bench.woken[-1][1]
        assert isinstance(step, Attempt)
        self.assertEqual((step.host.name, step.dial.tries), ("a", 2))

    def test_nothingToWaitFor(self) -> None:
        """
        Where the last host goes nobody is left waiting for it.
        """
        bench = QueueBench("a", whenAllDown="close")
        bench.connected()
        bench.wait("x")
        bench.pool.removeHost("a")
        self.assertEqual(bench.gaveUp(), [("x", GaveUpReason.NO_HOST)])

    def test_roomByChange(self) -> None:
        """
        A new host, a greater limit, or one that comes back serve those who wait.
        """
        bench = QueueBench("a", maxQueue=10)
        bench.connected()
        for who in "xyz":
            bench.wait(who)
        bench.pool.addHost(ProxyHost("b", "127.0.0.1", 1, 1, 1))
        self.assertEqual(bench.served(), "x")
        bench.pool.changeHost(ProxyHost("a", "127.0.0.1", 7000, 1, 2))
        self.assertEqual(bench.served(), "xy")
        bench.pool.addHost(ProxyHost("c", "127.0.0.1", 1, 1, 1, state="drain"))
        self.assertEqual(bench.served(), "xy")
        bench.pool.setState("c", "ready")
        self.assertEqual(bench.served(), "xyz")

    def test_policyRaises(self) -> None:
        """
        A policy that raises is replaced, and the client whose turn it is gets its host.
        """
        bench = QueueBench("a")
        lease = bench.connected()
        bench.wait("x")
        bench.wait("y")
        scheduler = bench.pool.scheduler
        real, calls = scheduler.nextHost, []

        def broken(*arguments: Any) -> object:
            calls.append(arguments)
            if len(calls) == 1:
                raise ZeroDivisionError
            return real(*arguments)

        self.patch(scheduler, "nextHost", broken)
        lease.release()
        self.assertEqual(bench.served(), "x")
        self.assertIsNot(bench.pool.scheduler, scheduler)

    def test_deepQueue(self) -> None:
        """
        A client that fails at once when it is woken makes room for the next,
        in a loop and not in a recursion.
        """
        bench = QueueBench("a", maxQueue=5000, passiveFall=100)
        lease = bench.connected()
        count = 0

        def fail(step: Step) -> None:
            nonlocal count
            assert isinstance(step, Attempt)
            count += 1
            step.cancel()

        for number in range(5000):
            waiting = bench.dial(PATIENT, number).start()
            assert isinstance(waiting, Waiting)
            waiting.whenWoken(fail)
        lease.release()
        self.assertEqual((count, bench.pool.active), (5000, 0))

    def test_startTwice(self) -> None:
        bench = QueueBench("a")
        bench.connected()
        dial = bench.wait("x").dial
        self.assertIsInstance(dial, Dial)
        self.assertRaises(ValueError, dial.start)

    def test_fullBeforeDown(self) -> None:
        """
        A host that is only full is waited for rather than that one is tried
        which is down.
        """
        bench = QueueBench("a", "b")
        bench.fell("b")
        bench.connected()
        self.assertIsInstance(bench.dial().start(), Waiting)


class CircuitTests(SynchronousTestCase):
    def test_circuit(self) -> None:
        """
        With so many connections being opened to a host it gets none, until
        half of them are through.
        """
        bench = Bench("a", "b", maxPending=4)
        others = frozenset({bench.pool.getHost("b").key})
        attempts = []
        while bench.pool.getHost("a").pending < 4:
            attempts.append(bench.attempt())
        told = bench.told()
        self.assertIn("circuit-opened a", told)
        self.assertEqual(bench.state("a"), "full")
        self.assertIsNone(bench.pool.claim(None, others))
        mine = [attempt for attempt in attempts if attempt.host.name == "a"]
        mine[0].connected()
        self.assertEqual(bench.told().count("circuit-closed a"), 0)
        mine[1].cancel()
        self.assertEqual(bench.told(), ["circuit-closed a"])
        self.assertIsNotNone(bench.pool.claim(None, others))

    def test_allOpen(self) -> None:
        """
        Where every circuit is open a client is closed at once, queue or not.
        """
        bench = Bench("a", maxPending=2, maxQueue=5)
        first = bench.attempt()
        bench.attempt()
        self.assertEqual(bench.dial().start(), GaveUp(GaveUpReason.CIRCUIT))
        first.connected()
        self.assertIsInstance(bench.dial().start(), Attempt)

    def test_off(self) -> None:
        bench = Bench("a", maxPending=0)
        for _ in range(2000):
            bench.attempt()
        self.assertEqual(bench.told(), [])

    def test_live(self) -> None:
        """
        Another limit counts at once.
        """
        bench = Bench("a", maxPending=0)
        attempts = [bench.attempt() for _ in range(3)]
        bench.pool.setSettings(replace(bench.pool.settings, maxPending=3))
        self.assertEqual(bench.told(), ["circuit-opened a"])
        bench.pool.setSettings(replace(bench.pool.settings, maxPending=0))
        self.assertEqual(bench.told(), ["circuit-closed a"])
        for attempt in attempts:
            attempt.cancel()
        self.assertEqual(bench.pool.getHost("a").pending, 0)
