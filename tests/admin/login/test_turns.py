"""
Tests for L{txlb.admin.login._turns}.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.admin.login._turns import AT_ONCE, PACE, Turns


class TurnsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.turns = Turns(self.clock.seconds, self.clock.callLater)
        self.done: list[int] = []

    def do(self, count: int) -> None:
        for number in range(count):
            self.turns.do(partial(self.done.append, number), "192.0.2.1")

    def test_few(self) -> None:
        """
        A few steps are done at once, and after a time as many again.
        """
        for _ in range(3):
            self.do(AT_ONCE)
            self.assertEqual(len(self.done), AT_ONCE)
            self.done.clear()
            self.clock.advance(AT_ONCE * PACE)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_givesWay(self) -> None:
        """
        Relayed connections go on after each step.
        """
        given: list[int] = []
        turns = Turns(self.clock.seconds, self.clock.callLater, lambda: given.append(len(turns)))
        for _ in range(3):
            turns.do(lambda: None, "192.0.2.1")
        self.assertEqual(given, [0, 0, 0])

    def test_many(self) -> None:
        """
        Many are done in their order, one after the other, and none is left.
        """
        self.do(200)
        self.assertEqual(len(self.done), AT_ONCE)
        most, before = 0, len(self.done)
        for _ in range(400):
            self.clock.advance(PACE)
            most, before = max(most, len(self.done) - before), len(self.done)
        self.assertEqual(self.done, list(range(200)))
        self.assertLessEqual(most, 2)
        self.assertEqual(len(self.turns), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_sources(self) -> None:
        """
        Sources take turns, so that a client with many steps holds up no other.
        """
        self.do(200)
        self.turns.do(partial(self.done.append, 1000), "192.0.2.2")
        self.clock.pump([PACE] * 4)
        self.assertIn(1000, self.done)
        self.assertLess(len(self.done), AT_ONCE + 6)

    def test_inside(self) -> None:
        """
        A step that has another one to do waits for its turn as well.
        """
        left = [50]

        def step() -> None:
            self.done.append(left[0])
            left[0] -= 1
            if left[0]:
                self.turns.do(step, "192.0.2.1")

        self.turns.do(step, "192.0.2.1")
        self.assertEqual(len(self.done), AT_ONCE)
        self.clock.pump([PACE] * 100)
        self.assertEqual(len(self.done), 50)

    def test_noClock(self) -> None:
        """
        While the logins do not run nothing waits.
        """

        def now(_delay: float, action: Any) -> object:
            return action()

        self.turns = Turns(self.clock.seconds, now)
        self.do(2000)
        self.assertEqual(self.done, list(range(2000)))

    def test_finish(self) -> None:
        self.do(50)
        self.turns.finish()
        self.assertEqual(self.done, list(range(50)))
