"""
Tests for L{txlb.pool._damper}.
"""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.pool.kit import REFUSED, Bench
from txlb.pool import CheckResult
from txlb.pool._damper import FORGIVEN, Damper, mostFalls

PASSED = CheckResult(True, "connected", 0.001)
FAILED = CheckResult(False, "connection refused", 0.001)


class DamperTests(SynchronousTestCase):
    def test_doubling(self) -> None:
        """
        The first fall holds nothing, the second for 1 s, and so on to the most.
        """
        damper = Damper(0.0)
        holds = []
        for _ in range(10):
            damper.rose(0.0)
            damper.fell(60.0, 0.0)
            holds.append(damper.heldUntil)
        self.assertEqual(holds, [0, 1, 2, 4, 8, 16, 32, 60, 60, 60])

    def test_forgiven(self) -> None:
        """
        Each minute of being up takes one fall back; being down takes none.
        """
        damper = Damper(0.0)
        for _ in range(4):
            damper.fell(60.0, 0.0)
        damper.rose(1000.0)
        damper.fell(60.0, 1000.0 + 2.5 * FORGIVEN)
        self.assertEqual(damper.level, 3)
        damper.rose(2000.0)
        damper.fell(60.0, 2000.0 + 100 * FORGIVEN)
        self.assertEqual((damper.level, damper.heldUntil), (1, 2000.0 + 100 * FORGIVEN))

    def test_off(self) -> None:
        damper = Damper(0.0)
        for _ in range(10):
            damper.fell(0.0, 5.0)
            self.assertEqual(damper.heldUntil, 5.0)

    @given(
        st.lists(st.tuples(st.floats(0, 200), st.floats(0, 10)), max_size=60),
        st.sampled_from([0.5, 1.0, 5.0, 60.0, 300.0]),
    )
    def test_bound(self, cycles: list[tuple[float, float]], longest: float) -> None:
        """
        However long it is up and down, it falls no more often than the bound.
        """
        damper = Damper(0.0)
        now = 0.0
        for falls, (up, down) in enumerate(cycles, 1):
            now += up
            damper.fell(longest, now)
            assert falls <= mostFalls(longest, now)
            now = max(now + down, damper.heldUntil)
            damper.rose(now)


class FlapTests(SynchronousTestCase):
    def flap(self, bench: Bench, check: float, period: float, lasts: float) -> int:
        """
        A host that is up and down for C{period} seconds each, checked at an
        interval.

        @return: how often it was put out.
        """
        falls = 0
        for number in range(int(lasts / check)):
            bench.now = 1000.0 + number * check
            well = int(number * check / period) % 2 == 1
            bench.pool.reportCheck("a", PASSED if well else FAILED)
            falls += bench.told().count("host-down a")
        return falls

    def test_checks(self) -> None:
        """
        A host that flaps every 0.5 s for five minutes: the transitions stay
        under the bound, and without damping there are hundreds.
        """
        bench = Bench("a", "b")
        bench.pool.watch("a", rise=2, fall=2)
        falls = self.flap(bench, 0.1, 0.5, 300.0)
        self.assertTrue(3 <= falls <= mostFalls(60.0, 300.0), falls)
        free = Bench("a", "b", flapHold=0)
        free.pool.watch("a", rise=2, fall=2)
        self.assertEqual(self.flap(free, 0.1, 0.5, 300.0), 300)

    def test_traffic(self) -> None:
        """
        The same where nothing but traffic tells, whoever is all that is left.
        """
        for names in ("ab", "a"):
            bench = Bench(*names)
            source = Random(4)
            falls = 0
            for number in range(3000):
                bench.now = 1000.0 + number * 0.1
                bench.pool.advance(bench.now)
                others = frozenset(h.key for h in bench.pool.hosts if h.name != "a")
                lease = bench.pool.claim(None, others)
                if lease is None:
                    continue
                if source.random() < 0.5:
                    bench.pool.reportConnected(lease)
                else:
                    bench.pool.reportFailed(lease, REFUSED)
                lease.release()
                falls += bench.told().count("host-down a")
            self.assertTrue(3 <= falls <= mostFalls(60.0, 300.0), falls)

    def test_heldThenUp(self) -> None:
        """
        A host that is held comes in with the first success after that, not
        before, however many there are.
        """
        bench = Bench("a", "b")
        bench.pool.watch("a", rise=1, fall=1)
        for _ in range(2):
            bench.pool.reportCheck("a", FAILED)
            bench.pool.reportCheck("a", PASSED)
        self.assertEqual(bench.state("a"), "coming-up")
        bench.now += 0.9
        bench.pool.reportCheck("a", PASSED)
        self.assertEqual(bench.state("a"), "coming-up")
        bench.now += 0.1
        bench.pool.reportCheck("a", PASSED)
        self.assertEqual(bench.state("a"), "up")
