"""
Tests for the deadlines of the fast relay, L{txlb.proxy.fast._wheel}.
"""

from __future__ import annotations

from unittest import mock

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.deadlines import Deadlines
from txlb.proxy.fast._wheel import Waiting, Wheel


class Asked:
    """
    Has deadlines, and remembers when it was asked.
    """

    slot: set[Waiting] | None = None

    def __init__(self, *following: float | None) -> None:
        self.following = list(following)
        self.when: list[float] = []
        self.broken = 0

    def deadlinePassed(self, now: float) -> float | None:
        """
        The next of those that follow.
        """
        self.when.append(now)
        return self.following.pop(0) if self.following else None

    def breakDown(self) -> None:
        """
        Remember it.
        """
        self.broken += 1


class Timed(Asked):
    """
    Has one deadline, and remembers when it was asked.
    """

    def __init__(self, deadline: float) -> None:
        super().__init__()
        self.deadline = deadline

    def deadlinePassed(self, now: float) -> float | None:
        """
        The deadline, until it has come.
        """
        self.when.append(now)
        return None if now >= self.deadline else self.deadline


class WheelTests(SynchronousTestCase):
    """
    L{Wheel}.
    """

    def setUp(self) -> None:
        """
        A wheel on a clock.
        """
        self.clock = Clock()
        self.wheel = Wheel(Deadlines(self.clock, self.clock.seconds))

    def pass_(self, seconds: float) -> None:
        """
        Let time pass in small steps.
        """
        for _ in range(round(seconds * 1000)):
            self.clock.advance(0.001)

    def test_askedInTime(self) -> None:
        """
        However far a deadline is, the last question comes at most 10 ms after it. That is
        what a connect timeout may be late by, as the timers of HAProxy and nginx have a
        resolution of a millisecond. One that ends before is asked for nothing.
        """
        self.pass_(0.033)
        timed = [Timed(when) for when in (0.0, 0.04, 0.05, 0.133, 0.1999, 0.2, 0.55, 1.0, 2.001)]
        for each in timed:
            self.wheel.add(each, each.deadline)
        self.pass_(3)
        for each in timed:
            late = each.when[-1] - max(each.deadline, 0.033)
            self.assertTrue(0 <= late <= 0.01, (each.deadline, each.when))
            self.assertTrue(len(each.when) <= 2, each.when)

    def test_fewSlots(self) -> None:
        """
        Deadlines that are still far share wide slots, so that a second of new connections
        makes ten of them.
        """
        for number in range(1000):
            self.wheel.add(Asked(), 5.0 + number / 1000)
        self.assertTrue(len(self.wheel._slots) <= 11, len(self.wheel._slots))

    def test_anEarlierOne(self) -> None:
        """
        One that comes later with an earlier deadline is asked first.
        """
        late, early = Asked(), Asked()
        self.wheel.add(late, 3.0)
        self.wheel.add(early, 1.0)
        self.pass_(1.5)
        self.assertEqual((len(late.when), len(early.when)), (0, 1))

    def test_removed(self) -> None:
        """
        One that is removed is not asked, and can be removed again.
        """
        asked = Asked()
        self.wheel.add(asked, 1.0)
        self.wheel.remove(asked)
        self.wheel.remove(asked)
        self.pass_(2)
        self.assertEqual(asked.when, [])

    def test_stop(self) -> None:
        """
        Nobody is asked any more.
        """
        asked = Asked()
        self.wheel.add(asked, 1.0)
        self.wheel.stop()
        self.wheel.stop()
        self.pass_(2)
        self.assertEqual(asked.when, [])

    def test_raises(self) -> None:
        """
        One that raises is ended, and keeps no other from being asked.
        """
        asked = [Asked() for _ in range(5)]
        for each in asked:
            self.wheel.add(each, 1.0)
        broken = Asked()
        with mock.patch.object(broken, "deadlinePassed", side_effect=ValueError("broken")):
            self.wheel.add(broken, 1.0)
            self.pass_(2)
        self.assertEqual([len(each.when) for each in asked], [1] * 5)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(broken.broken, 1)

    def test_aDeadlineThatIsPast(self) -> None:
        """
        An answer that lies in the past is no endless loop.
        """
        asked = Asked(0.0, 0.0, 0.0, None)
        self.wheel.add(asked, 0.0)
        self.pass_(1)
        self.assertEqual(len(asked.when), 4)
