"""
Tests for L{txlb.admin._work}.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.admin.fakes import collectLog, lines
from txlb.admin._newcomer import LOGINS
from txlb.admin._work import RationedWork
from txlb.deadlines import Deadlines

SLICE, PAUSE, SHARE, SAVED = LOGINS.slice, LOGINS.pause, LOGINS.share, LOGINS.saved
OWED, READING = LOGINS.owed, LOGINS.reading


class FakeJob:
    """
    Takes time, as often as it is told to.
    """

    def __init__(
        self, case: WorkTestCase, name: str, steps: int = 1, takes: float = 0.0001
    ) -> None:
        self.source = name[0]
        self.stage = 0
        self.cost = 0.0
        self._case = case
        self._name = name
        self._steps = steps
        self._takes = takes

    def work(self) -> bool:
        self._case.done.append((self._case.clock.seconds(), self._name))
        self._case.spent += self._takes
        self._steps -= 1
        return self._steps > 0


class WorkTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.spent = 0.0
        self.done: list[tuple[float, str]] = []
        deadlines = Deadlines(self.clock, self.clock.seconds)
        self.deadlines = deadlines
        self.work = RationedWork(deadlines, LOGINS, lambda: self.spent)

    def job(self, name: str, steps: int = 1, takes: float = 0.0001) -> FakeJob:
        job = FakeJob(self, name, steps, takes)
        self.work.add(job)
        return job

    def names(self) -> list[str]:
        """
        What was done, in order.
        """
        return [name for _, name in self.done]

    def pass_(self, seconds: float) -> None:
        self.clock.pump([PAUSE / 5] * int(5 * seconds / PAUSE))


class SliceTests(WorkTestCase):
    def test_notAtOnce(self) -> None:
        """
        Not while something is read, but in a turn of its own.
        """
        self.job("a")
        self.assertEqual(self.done, [])
        self.assertTrue(self.work.pending)
        self.clock.advance(0)
        self.assertEqual(self.names(), ["a"])
        self.assertFalse(self.work.pending)

    def test_slices(self) -> None:
        """
        A turn has half a millisecond, and the next comes five later.
        """
        self.job("a", steps=100)
        self.clock.advance(0)
        self.assertEqual(len(self.done), round(SLICE / 0.0001))
        self.clock.advance(PAUSE * 0.9)
        self.assertEqual(len(self.done), round(SLICE / 0.0001))
        self.clock.advance(PAUSE * 0.2)
        self.assertEqual(len(self.done), 2 * round(SLICE / 0.0001))

    def test_givesWay(self) -> None:
        """
        Relayed connections go on before each step.
        """
        self.work = RationedWork(
            self.deadlines,
            LOGINS,
            lambda: self.spent,
            lambda: self.done.append((self.clock.seconds(), "relayed")),
        )
        self.job("a", steps=2)
        self.pass_(0.1)
        self.assertEqual(self.names(), ["relayed", "a"] * 2)

    def test_share(self) -> None:
        """
        Whatever is asked for, it is a hundredth of the time and what was saved up.
        """
        self.job("a", steps=10**6)
        self.pass_(20)
        self.assertApproximates(self.spent, SAVED + 20 * SHARE, 0.002)
        before = self.spent
        self.pass_(10)
        self.assertApproximates(self.spent - before, 10 * SHARE, 0.002)

    def test_longSteps(self) -> None:
        """
        The same where each takes longer than a slice.
        """
        self.job("a", steps=10**6, takes=3 * SLICE)
        self.pass_(20)
        self.assertApproximates(self.spent, SAVED + 20 * SHARE, 0.004)

    def test_saved(self) -> None:
        """
        What is saved up has a bound.
        """
        self.pass_(3600 * PAUSE)
        self.clock.advance(3600)
        self.job("a", steps=10**6)
        self.pass_(1)
        self.assertApproximates(self.spent, SAVED + SHARE, 0.002)

    def test_owed(self) -> None:
        """
        A step that took a second, because the machine stood still, keeps nobody out for
        long.
        """
        self.job("a", takes=1.0)
        self.clock.advance(0)
        self.job("b")
        self.clock.advance((OWED + SLICE + READING) / SHARE - 0.01)
        self.assertEqual(self.names(), ["a"])
        self.clock.advance(0.02)
        self.assertEqual(self.names(), ["a", "b"])

    def test_readingCounts(self) -> None:
        """
        Bytes that come one by one cost, though there is nothing to do with them.
        """
        times = 0
        while times * READING < SAVED:
            self.job("a", takes=0.0)
            self.clock.advance(PAUSE)
            times += 1
        before = len(self.done)
        for _ in range(1000):
            self.job("a", takes=0.0)
            self.clock.advance(PAUSE)
        self.assertLessEqual((len(self.done) - before) * READING, 1000 * PAUSE * SHARE + SLICE)

    def test_slowMachine(self) -> None:
        """
        If others use the processor too, a slice takes longer, and so does the pause.
        """

        class Slow(FakeJob):
            def work(self) -> bool:
                clock.advance(4 * SLICE)
                return super().work()

        clock = self.clock
        self.work.add(Slow(self, "a", steps=2, takes=SLICE))
        clock.advance(0)
        self.assertEqual(len(self.done), 1)
        clock.advance(4 * PAUSE - 1e-6)
        self.assertEqual(len(self.done), 1)
        clock.advance(2e-6)
        self.assertEqual(len(self.done), 2)

    def test_refund(self) -> None:
        job = self.job("a", steps=100)
        self.pass_(0.1)
        self.assertApproximates(job.cost, 0.01, 0.001)
        self.assertLess(self.work._left, SAVED - 0.007)
        self.work.refund(job)
        self.assertEqual(job.cost, 0.0)
        self.assertApproximates(self.work._left, SAVED, 0.0001)


class AtOnceTests(WorkTestCase):
    """
    Where work may begin in the turn in which it comes.
    """

    def setUp(self) -> None:
        super().setUp()
        ration = replace(LOGINS, atOnce=True, reading=0.0)
        self.work = RationedWork(self.deadlines, ration, lambda: self.spent)

    def test_oneByOne(self) -> None:
        """
        Who waits for an answer before asking again waits for nothing else.
        """
        for _ in range(3):
            self.job("a", takes=SLICE / 10)
            self.clock.advance(PAUSE / 10 + 1e-6)
        self.assertEqual(self.names(), ["a"] * 3)

    def test_manyAtOnce(self) -> None:
        """
        Of many a slice is done, and the rest later.
        """
        self.job("a", steps=100, takes=SLICE / 2)
        self.assertEqual(len(self.done), 2)
        self.job("b", takes=SLICE / 2)
        self.assertEqual(len(self.done), 2)
        self.clock.advance(PAUSE)
        self.assertEqual(self.names()[2:], ["a", "b"])

    def test_nothingLeft(self) -> None:
        self.work._left = -OWED
        self.job("a")
        self.assertEqual(self.done, [])
        self.pass_((OWED + SLICE) / SHARE + PAUSE)
        self.assertEqual(self.names(), ["a"])


class OrderTests(WorkTestCase):
    def test_sourcesTakeTurns(self) -> None:
        """
        One source with many clients gets no more than another one with one.
        """
        for number in range(4):
            self.job(f"a{number}", steps=9)
        self.job("b", steps=9)
        self.pass_(0.02)
        self.assertEqual([name[0] for name in self.names()[:12]], ["a", "b"] * 6)

    def test_whoHadLeastComesFirst(self) -> None:
        self.job("a-much", steps=30, takes=SLICE)
        self.clock.advance(0)
        self.job("a-little", steps=3)
        self.clock.advance(PAUSE)
        self.assertEqual(self.names(), ["a-much", "a-little", "a-little", "a-little", "a-much"])

    def test_stagesTakeTurns(self) -> None:
        """
        Neither those that exchange keys nor those that offer some hold up the others.
        """
        self.job("a0", steps=9)
        other = FakeJob(self, "a1", steps=9)
        other.stage = 1
        self.work.add(other)
        self.pass_(0.02)
        self.assertEqual(sorted(self.names()[:2]), ["a0", "a1"])
        self.assertEqual(self.names()[:8], self.names()[:2] * 4)

    def test_theNextStage(self) -> None:
        job = self.job("a", steps=3)
        self.clock.advance(0)
        job.stage = 1
        job._steps = 2
        self.work.add(job)
        self.pass_(0.02)
        self.assertFalse(self.work.pending)
        self.assertEqual(len(self.done), 5)

    def test_twiceIsOnce(self) -> None:
        job = self.job("a")
        self.work.add(job)
        self.pass_(0.02)
        self.assertEqual(self.names(), ["a"])

    def test_removed(self) -> None:
        first, second = self.job("a"), self.job("b")
        self.work.remove(first)
        self.work.remove(first)
        self.pass_(0.02)
        self.assertEqual(self.names(), ["b"])
        self.work.remove(second)

    def test_trouble(self) -> None:
        """
        One job's is not the next one's.
        """
        events = collectLog(self)
        job = self.job("a", steps=2)
        self.patch(job, "work", lambda: 1 // 0)
        self.job("b")
        self.pass_(0.02)
        self.assertEqual(self.names(), ["b"])
        self.assertEqual(lines(events), ["a request of a client failed"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.job("a")
        self.pass_(0.02)
        self.assertEqual(self.names(), ["b", "a"])

    def test_stop(self) -> None:
        self.job("a")
        self.work.stop()
        self.work.stop()
        self.pass_(1)
        self.assertEqual(self.done, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
