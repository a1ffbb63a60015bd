"""
The queue of steps that each take a while.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from txlb.proxy._stepqueue import StepQueue


class Step:
    """
    A step that takes a millisecond.
    """

    def __init__(self, test: StepQueueTests, fails: bool = False) -> None:
        self.queued = False
        self.test = test
        self.fails = fails
        self.broken = 0

    def moveBulk(self) -> None:
        self.test.done.append(self)
        self.test.now += 0.001
        if self.fails:
            raise ValueError("on purpose")

    def breakDown(self) -> None:
        self.broken += 1


class StepQueueTests(SynchronousTestCase):
    """
    L{StepQueue}.
    """

    def setUp(self) -> None:
        self.now = 0.0
        self.done: list[Step] = []
        self.turns: list[Callable[[], object]] = []
        self.queue = StepQueue(self)  # type: ignore[arg-type]  # it uses no more of it

    def seconds(self) -> float:
        return self.now

    def after(self, delay: float, action: Callable[[], object]) -> None:
        self.turns.append(action)

    def test_budget(self) -> None:
        """
        A turn has steps for a millisecond, and each connection has one step in it.
        """
        steps = [Step(self) for _ in range(10)]
        for step in steps:
            self.queue.queueBulk(step)
            self.queue.queueBulk(step)
        counts = []
        while self.turns:
            self.assertEqual(len(self.turns), 1)
            self.turns.pop()()
            counts.append(len(self.done))
        self.assertEqual(self.done, steps)
        self.assertEqual(len(counts), 5)
        self.assertLess(counts[0], 3)

    def test_broken(self) -> None:
        """
        A step that raises ends its own connection.
        """
        bad, good = Step(self, fails=True), Step(self)
        self.queue.queueBulk(bad)
        self.queue.queueBulk(good)
        self.turns.pop()()
        self.assertEqual((bad.broken, self.done), (1, [bad, good]))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
