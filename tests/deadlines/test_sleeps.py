"""
Tests for deadlines in a process that was stopped for a while, L{txlb.deadlines._sleeps}.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.sleeping import SleepingClock
from txlb.deadlines import CATCH_UP, LATE, TICK, TURNS, Deadlines
from txlb.deadlines._deadlines import PATIENT


class SleepTests(SynchronousTestCase):
    """
    A process that was stopped for a while, or whose virtual machine was, reads what has
    come before it decides that a time is over.
    """

    def setUp(self) -> None:
        self.clock = SleepingClock()
        self.queue = Deadlines(self.clock, self.clock.seconds)
        self.done: list[str] = []

    def note(self, word: str) -> Callable[[], None]:
        return lambda: self.done.append(word)

    def test_readsFirst(self) -> None:
        """
        What is due after a sleep is done after the reactor had its turns.
        """
        self.queue.after(5, self.note("due"))
        self.clock.sleep(60)
        for _ in range(TURNS - 1):
            self.clock.turn()
            self.assertEqual(self.done, [])
        self.clock.turn()
        self.assertEqual(self.done, ["due"])

    def test_cancelledMeanwhile(self) -> None:
        """
        What is cancelled by something that was read in these turns is not done.
        """
        deadline = self.queue.after(5, self.note("due"))
        self.clock.sleep(60)
        self.clock.turn()
        deadline.cancel()
        self.clock.decide()
        self.assertEqual(self.done, [])
        self.assertEqual(len(self.queue), 0)

    def test_addedMeanwhile(self) -> None:
        """
        What is asked for in these turns does not end them early, however long they
        take, and is done with the others.
        """
        self.queue.after(5, self.note("due"))
        self.clock.sleep(60)
        self.queue.at(1, self.note("past"))
        self.clock.rightNow += 2 * TICK
        self.queue.at(1, self.note("also past"))
        for _ in range(TURNS):
            self.clock.turn()
            self.assertEqual(self.done, [])
        self.clock.turn()
        self.assertEqual(self.done, ["past", "also past", "due"])

    def test_busy(self) -> None:
        """
        A reactor that was busy for a moment reads first too. That was no sleep: nobody
        has more time by it.
        """
        self.queue.after(0.5, self.note("due"))
        self.queue.patience(0.5, self.note("patience"))
        self.clock.advance(0.4)
        self.clock.sleep(0.1 + 2 * LATE)
        self.assertEqual(self.done, [])
        self.clock.decide()
        self.assertEqual(self.done, ["due", "patience"])

    def test_punctual(self) -> None:
        """
        A wake-up that is in time is no reason to wait.
        """
        self.queue.after(0.5, self.note("due"))
        self.clock.sleep(0.5 + LATE / 2)
        self.assertEqual(self.done, ["due"])

    def test_patience(self) -> None:
        """
        Who has to answer in time has as much of it after a sleep as before, and a
        moment in which the answer can be read; once, however often the queue looks.
        """
        self.queue.patience(2, self.note("patience"))
        self.clock.advance(0.5)
        self.clock.sleep(60)
        self.clock.decide()
        slept = 60 - (TICK - 0.5)
        until = 2 + slept + CATCH_UP
        while self.clock.seconds() + 0.25 < until:
            self.clock.advance(0.25)
        self.assertEqual(self.done, [])
        self.assertEqual(len(self.queue), 1)
        self.clock.advance(0.25)
        self.assertEqual(self.done, ["patience"])
        self.assertEqual(len(self.queue), 0)

    def test_patienceSince(self) -> None:
        """
        The time may have begun before it was asked for.
        """
        self.clock.advance(1)
        self.queue.patience(2, self.note("patience"), 0.5)
        self.clock.pump([0.5, 0.5])
        self.assertEqual(self.done, [])
        self.clock.advance(0.5)
        self.assertEqual(self.done, ["patience"])

    def test_patienceCancelled(self) -> None:
        """
        An answer that comes after a sleep ends it as ever.
        """
        deadline = self.queue.patience(2, self.note("patience"))
        self.clock.sleep(60)
        self.clock.decide()
        deadline.cancel()
        self.clock.pump([0.5] * 20)
        self.assertEqual((self.done, len(self.queue)), ([], 0))

    def test_sleptSince(self) -> None:
        """
        Several sleeps add up, each so far as it lies after the time that is asked for.
        """
        self.queue.after(1000, self.note("never"))
        self.assertEqual(self.queue.sleptSince(0), 0)
        self.clock.sleep(TICK + 10)
        self.clock.decide()
        self.clock.sleep(TICK + 20)
        self.clock.decide()
        ended = self.clock.seconds()
        self.assertEqual(self.queue.sleptSince(0), 30 + CATCH_UP)
        self.assertEqual(self.queue.sleptSince(ended - 5), 5 + CATCH_UP)
        self.assertEqual(self.queue.sleptSince(ended), 0)

    def test_sleepsAgain(self) -> None:
        """
        A process that sleeps again before it has read everything reads first as well, and
        what it slept through is added.
        """
        self.queue.after(5, self.note("due"))
        self.clock.sleep(TICK + 10)
        self.clock.turn()
        self.clock.sleep(20)
        for _ in range(TURNS - 1):
            self.clock.turn()
            self.assertEqual(self.done, [])
        self.clock.turn()
        self.assertEqual(self.done, ["due"])
        self.assertEqual(self.queue.sleptSince(0), 30 + CATCH_UP)

    def test_slowTurns(self) -> None:
        """
        A reactor whose every turn takes long is not put off for ever.
        """
        self.queue.after(5, self.note("due"))
        for _ in range(PATIENT + TURNS + 1):
            self.clock.sleep(10)
        self.assertEqual(self.done, ["due"])

    def test_slowTurnsAfterASleep(self) -> None:
        """
        Nor is one that is only busy.
        """
        self.queue.after(5, self.note("due"))
        self.clock.sleep(60)
        for _ in range(TURNS):
            self.assertEqual(self.done, [])
            self.clock.sleep(5 * LATE)
        self.assertEqual(self.done, ["due"])

    def test_clockOfATest(self) -> None:
        """
        A clock that a test moves on by minutes at once is a way to let time pass. It
        gives nobody more time, or no test could tell what happens at its end.
        """
        clock = Clock()
        queue = Deadlines(clock, clock.seconds)
        queue.patience(2, self.note("patience"))
        clock.advance(60)
        self.assertEqual(self.done, ["patience"])
        self.assertEqual(queue.sleptSince(0), 0)

    def test_stop(self) -> None:
        """
        A queue that is stopped in these turns does nothing, and works again.
        """
        self.queue.after(5, self.note("due"))
        self.clock.sleep(60)
        self.queue.stop()
        self.clock.decide()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.queue.after(0.5, self.note("again"))
        self.clock.advance(0.5)
        self.assertEqual(self.done, ["again"])
