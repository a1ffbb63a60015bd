"""
Tests for L{txlb.deadlines._retry}.
"""

from __future__ import annotations

from random import Random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.deadlines import Deadlines
from txlb.deadlines._retry import FIRST, JITTER, LONGEST, Retry


class RetryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.calls: list[float] = []
        self.retry = Retry(
            Deadlines(self.clock, self.clock.seconds),
            lambda: self.calls.append(self.clock.seconds()),
            Random(1),
        )

    def pause(self) -> float:
        """
        Let time pass until the next call.
        """
        began, count = self.clock.seconds(), len(self.calls)
        while len(self.calls) == count:
            self.clock.advance(0.05)
        return self.clock.seconds() - began

    def test_pausesGrow(self) -> None:
        wanted = FIRST
        for _ in range(8):
            self.retry.later()
            self.assertTrue(
                wanted * (1 - JITTER) - 0.1 <= self.pause() <= wanted * (1 + JITTER) + 0.1
            )
            wanted = min(wanted * 2, LONGEST)
        self.retry.again(3.0)
        self.assertTrue(3 * (1 - JITTER) - 0.1 <= self.pause() <= 3 * (1 + JITTER) + 0.1)
        self.retry.later()
        self.assertLess(self.pause(), 2 * FIRST)

    def test_stop(self) -> None:
        self.retry.later()
        self.retry.again(1.0)
        self.retry.stop()
        self.retry.stop()
        self.clock.advance(100)
        self.assertEqual(self.calls, [])
