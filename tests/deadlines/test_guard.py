"""
Tests for the thread that wakes the deadlines, L{txlb.deadlines._guard}.
"""

from __future__ import annotations

import threading
from functools import partial

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.sleeping import ThreadedClock
from txlb.deadlines import Deadlines, _deadlines


class GuardTests(SynchronousTestCase):
    """
    What is due is done though nobody asks for a deadline and the wall clock
    stands still, as it does for the reactor once it was set back.
    """

    def setUp(self) -> None:
        self.patch(_deadlines, "TICK", 0.01)
        self.wall = ThreadedClock()
        self.monotonic = Clock()
        self.queue = Deadlines(self.wall, self.monotonic.seconds)
        self.addCleanup(self.queue.stop)
        self.done: list[str] = []

    def test_setBack(self) -> None:
        self.queue.at(5.0, partial(self.done.append, "due"))
        self.queue.guard()
        self.queue.guard()
        self.monotonic.advance(6.0)
        self.assertTrue(self.wall.wasCalled.wait(20))
        self.assertEqual(self.done, [])
        for call in self.wall.called:
            call()
        self.wall.advance(0)
        self.assertEqual(self.done, ["due"])
        self.assertEqual(self.wall.getDelayedCalls(), [])

    def test_nothingIsLate(self) -> None:
        """
        Called though the wake-up has come meanwhile, it does nothing.
        """
        self.queue.at(5.0, partial(self.done.append, "due"))
        self.queue._wake()
        self.assertEqual(self.done, [])
        self.assertEqual(len(self.wall.getDelayedCalls()), 1)

    def test_goesOn(self) -> None:
        """
        What is not due yet is woken up for again.
        """
        self.queue.at(5.0, partial(self.done.append, "due"))
        self.queue.at(500.0, partial(self.done.append, "later"))
        self.queue.guard()
        self.monotonic.advance(6.0)
        self.assertTrue(self.wall.wasCalled.wait(20))
        self.wall.called[0]()
        self.wall.advance(0)
        self.assertEqual(self.done, ["due"])
        self.assertEqual(len(self.wall.getDelayedCalls()), 1)

    def test_ends(self) -> None:
        self.queue.guard()
        threads = [each for each in threading.enumerate() if each.name == "txlb-clock"]
        self.assertEqual(len(threads), 1)
        self.queue.stop()
        self.assertFalse(threads[0].is_alive())

    def test_withoutThreads(self) -> None:
        """
        The clocks of tests are nobody's to set.
        """
        queue = Deadlines(Clock(), self.monotonic.seconds)
        queue.guard()
        self.assertEqual([e for e in threading.enumerate() if e.name == "txlb-clock"], [])
