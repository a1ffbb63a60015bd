"""
Tests for L{txlb.clients._tries}.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.clients import EtcdError, EtcdUnreachable
from txlb.clients._tries import MOST, Tries


class TriesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.tries: list[Deferred[str]] = []
        self.begins: list[Callable[[], None]] = []
        self.cancelled: list[int] = []

    def begin(self, number: int, began: Callable[[], None]) -> Deferred[str]:
        self.assertEqual(number, len(self.tries))
        self.tries.append(Deferred(lambda _: self.cancelled.append(number)))
        self.begins.append(began)
        return self.tries[-1]

    def run_(self, members: int = 3) -> Deferred[tuple[int, str]]:
        return Tries(self.clock, self.begin, members, Random(1)).run()

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            self.clock.advance(0.05)

    def unreachable(self, number: int) -> None:
        self.tries[number].errback(EtcdUnreachable(f"try {number}"))

    def test_first(self) -> None:
        done = self.run_()
        self.tries[0].callback("a")
        self.assertEqual(self.successResultOf(done), (0, "a"))
        self.advance(5)
        self.assertEqual(len(self.tries), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slow(self) -> None:
        """
        Another member is asked if none answers soon, and the first answer counts.
        """
        done = self.run_()
        self.advance(0.6)
        self.assertEqual(len(self.tries), 2)
        self.tries[1].callback("b")
        self.assertEqual(self.successResultOf(done), (1, "b"))
        self.assertEqual(self.cancelled, [0])

    def test_most(self) -> None:
        """
        There are never more than a few tries, and the first one stays.
        """
        done = self.run_()
        self.advance(4)
        self.assertGreater(len(self.tries), 6)
        self.assertEqual(len(self.tries) - len(self.cancelled), MOST)
        self.assertNotIn(0, self.cancelled)
        self.tries[0].callback("a")
        self.assertEqual(self.successResultOf(done), (0, "a"))

    def test_begun(self) -> None:
        """
        No other try begins while an answer comes.
        """
        done = self.run_()
        self.begins[0]()
        self.advance(4)
        self.assertEqual(len(self.tries), 1)
        self.unreachable(0)
        self.assertEqual(len(self.tries), 2)
        self.advance(0.6)
        self.assertEqual(len(self.tries), 3)
        # This one was given up, so its answer does not begin.
        self.advance(2)
        self.assertIn(2, self.cancelled)
        self.begins[2]()
        before = len(self.tries)
        self.advance(0.6)
        self.assertGreater(len(self.tries), before)
        done.cancel()
        self.failureResultOf(done, CancelledError)

    def test_unreachable(self) -> None:
        """
        Members that fail at once are asked one after the other, each once.
        """
        done = self.run_()
        for number in range(3):
            self.assertNoResult(done)
            self.unreachable(number)
        self.assertEqual(str(self.failureResultOf(done, EtcdUnreachable).value), "try 0")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_oneSilent(self) -> None:
        """
        While a member is silent the others are asked again and again.
        """
        done = self.run_()
        self.advance(0.6)
        self.unreachable(1)
        self.unreachable(2)
        self.unreachable(3)
        self.assertNoResult(done)
        self.advance(0.6)
        self.tries[4].callback("b")
        self.assertEqual(self.successResultOf(done), (4, "b"))

    def test_error(self) -> None:
        """
        Another error is the answer.
        """
        done = self.run_()
        self.advance(0.6)
        self.tries[1].errback(EtcdError("no"))
        self.failureResultOf(done, EtcdError)
        self.assertEqual(self.cancelled, [0])

    def test_cancelled(self) -> None:
        done = self.run_()
        self.advance(0.6)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(self.cancelled, [0, 1])
        self.assertEqual(self.clock.getDelayedCalls(), [])
