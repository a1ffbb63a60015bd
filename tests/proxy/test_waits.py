"""
Tests for waits that all have the same time.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.deadlines import Deadlines
from txlb.proxy._waits import BATCH, Waits


class WaitsTests(SynchronousTestCase):
    """
    L{Waits}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock, self.clock.seconds)
        self.expired: list[int] = []
        self.waits = Waits[int](self.deadlines, 3.0, self.expired.append)

    def advance(self, seconds: int) -> None:
        self.clock.pump([0.25] * (4 * seconds))

    def test_order(self) -> None:
        """
        Each has its time, and the others theirs if one is removed.
        """
        for number in range(3):
            self.assertEqual(self.expired, [])
            self.waits.add(number)
            self.advance(1)
        self.assertEqual(self.expired, [0])
        self.waits.remove(1)
        self.advance(1)
        self.assertEqual(self.expired, [0])
        self.advance(1)
        self.assertEqual(self.expired, [0, 2])
        self.assertEqual((len(self.waits), len(self.deadlines)), (0, 0))

    def test_none(self) -> None:
        """
        One that is removed leaves no deadline behind.
        """
        self.waits.add(1)
        self.waits.add(2)
        self.assertEqual((len(self.waits), len(self.deadlines)), (2, 1))
        self.waits.remove(1)
        self.waits.remove(2)
        self.assertEqual((len(self.waits), len(self.deadlines)), (0, 0))
        self.advance(5)
        self.assertEqual(self.expired, [])

    def test_addedMeanwhile(self) -> None:
        """
        What is called may begin the next wait.
        """
        waits = Waits[int](self.deadlines, 3.0, lambda number: self.again(waits, number))
        waits.add(1)
        self.advance(10)
        self.assertEqual(self.expired, [1, 2, 3])
        self.assertEqual((len(waits), len(self.deadlines)), (1, 1))

    def again(self, waits: Waits[int], number: int) -> None:
        self.expired.append(number)
        waits.add(number + 1)

    def test_many(self) -> None:
        """
        In a turn only so many end.
        """
        now = 0.0
        deadlines = Deadlines(self.clock, lambda: now)
        waits = Waits[int](deadlines, 3.0, self.expired.append)
        for number in range(2 * BATCH + 1):
            waits.add(number)
        now = 3.0
        for count in (BATCH, 2 * BATCH, 2 * BATCH + 1):
            waits._look()
            self.assertEqual(self.expired, list(range(count)))

    def test_raises(self) -> None:
        """
        One that fails leaves the others their ends.
        """

        def expired(number: int) -> None:
            if number == 1:
                raise RuntimeError("boom")
            self.expired.append(number)

        waits = Waits[int](self.deadlines, 3.0, expired)
        waits.add(1)
        waits.add(2)
        self.advance(4)
        self.assertEqual(self.expired, [2])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
