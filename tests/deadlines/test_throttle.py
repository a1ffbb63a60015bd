"""
Tests for L{txlb.deadlines.Throttle}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.deadlines import Deadlines, Throttle


class ThrottleTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock, self.clock.seconds)
        self.addCleanup(self.deadlines.stop)
        self.said: list[tuple[float, int, str]] = []
        self.throttle = Throttle(self.deadlines, self.say)

    def say(self, times: int, detail: str) -> None:
        self.said.append((self.clock.seconds(), times, detail))

    def test_sum(self) -> None:
        """
        The first time is told of at once and those that follow as a sum, which comes by
        itself within a second, with what there was to tell of the last of them.
        """
        self.throttle.happened("a")
        self.assertEqual(self.said, [(0.0, 1, "a")])
        self.clock.advance(0.5)
        for detail in ("b", "c", "d"):
            self.throttle.happened(detail)
        self.assertEqual(len(self.said), 1)
        self.clock.advance(0.5)
        self.assertEqual(self.said[1:], [(1.0, 3, "d")])
        self.clock.pump([0.5] * 10)
        self.assertEqual(len(self.said), 2)

    def test_stream(self) -> None:
        """
        Of a stream there is one line a second, and no time is lost.
        """
        for _ in range(1000):
            self.throttle.happened("x")
            self.clock.advance(0.01)
        self.clock.pump([0.5] * 4)
        self.assertEqual(len(self.said), 11)
        self.assertEqual(sum(times for _, times, _ in self.said), 1000)
        for before, after in zip(self.said, self.said[1:], strict=False):
            self.assertGreaterEqual(after[0] - before[0], 1.0)

    def test_rest(self) -> None:
        """
        After a second in which nothing happened the next time is told of at once, and
        nothing waits before it.
        """
        self.throttle.happened("a")
        self.assertEqual(len(self.deadlines), 1)
        self.clock.advance(1.0)
        self.assertEqual(len(self.deadlines), 0)
        self.clock.advance(0.25)
        self.throttle.happened("b")
        self.assertEqual(self.said, [(0.0, 1, "a"), (1.25, 1, "b")])

    def test_flush(self) -> None:
        """
        At the end all that was not told of is told at once, and nothing is left to do.
        """
        self.throttle.flush()
        for detail in ("a", "b", "c"):
            self.throttle.happened(detail)
        self.throttle.flush()
        self.throttle.flush()
        self.assertEqual(self.said, [(0.0, 1, "a"), (0.0, 2, "c")])
        self.assertEqual(len(self.deadlines), 0)

    def test_interval(self) -> None:
        throttle = Throttle(self.deadlines, self.say, 10.0)
        throttle.happened("a")
        throttle.happened("b")
        self.clock.pump([1.0] * 9)
        self.assertEqual(len(self.said), 1)
        self.clock.advance(1.0)
        self.assertEqual(self.said[1:], [(10.0, 1, "b")])
