"""
Tests for L{txlb.deadlines.Backlog}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.deadlines import Backlog, Deadlines
from txlb.deadlines import _backlog as backlogs


class BacklogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.done: list[int] = []
        self.deadlines = Deadlines(self.clock, self.clock.seconds)
        self.backlog = Backlog(self.deadlines, self.done.append)

    def test_few(self) -> None:
        """
        A few pieces are done at once, and nothing waits for the time after them.
        """
        self.backlog.add(range(50))
        self.assertEqual((self.done, len(self.backlog)), (list(range(50)), 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_many(self) -> None:
        """
        Many pieces are done fifty in a turn, in their order, those that come meanwhile last.
        """
        self.backlog.add(range(120))
        self.backlog.add([120])
        self.assertEqual((self.done, len(self.backlog)), (list(range(50)), 71))
        self.clock.advance(0.005)
        self.assertEqual(self.done, list(range(100)))
        self.clock.advance(0.005)
        self.assertEqual((self.done, len(self.backlog)), (list(range(121)), 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_oneByOne(self) -> None:
        """
        Pieces that come one by one in the same turn count together; those that come after a
        pause are done at once again.
        """
        for number in range(60):
            self.backlog.add([number])
        self.assertEqual(len(self.done), 50)
        self.clock.advance(0.005)
        self.assertEqual(len(self.done), 60)
        self.clock.advance(0.005)
        self.backlog.add(range(60, 110))
        self.assertEqual(self.done, list(range(110)))

    def test_bounded(self) -> None:
        """
        If too many wait the first of them is done at once.
        """
        self.patch(backlogs, "MOST", 3)
        self.backlog.add(range(55))
        self.assertEqual((len(self.done), len(self.backlog)), (52, 3))
        self.assertEqual(self.done, list(range(52)))

    def test_flush(self) -> None:
        """
        All that waits can be done at the end, and nothing comes after that.
        """
        self.backlog.add(range(70))
        self.backlog.flush()
        self.assertEqual((self.done, len(self.deadlines)), (list(range(70)), 0))
        self.clock.advance(0.005)
        self.assertEqual(len(self.done), 70)

    def test_clear(self) -> None:
        """
        All that waits can be forgotten, by a piece as well.
        """
        backlog: Backlog[int]

        def work(number: int) -> None:
            self.done.append(number)
            if number == 60:
                backlog.clear()

        backlog = Backlog(self.deadlines, work)
        backlog.add(range(170))
        self.clock.advance(0.005)
        self.assertEqual((self.done, len(backlog)), (list(range(61)), 0))
        self.assertEqual(len(self.deadlines), 0)

    def test_raises(self) -> None:
        """
        A piece that raises does not keep the others from being done.
        """

        def work(number: int) -> None:
            self.done.append(number)
            if number == 55:
                raise RuntimeError("55")

        backlog = Backlog(self.deadlines, work)
        backlog.add(range(60))
        self.clock.pump([0.005, 0.005])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.done, list(range(60)))
