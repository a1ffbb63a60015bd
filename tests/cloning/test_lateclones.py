"""
Tests for L{txlb.cloning._lateclones}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.cloning._lateclones import GOES_ON, INTERVAL, UNUSED, LateClones, leftOut
from txlb.pool import Event, EventKind

KEY = ("web", "app", "clone0")


def lateness(number: int, key: tuple[str, ...] = KEY) -> Event:
    """
    Make the event of a clone that is late, or of one that goes on.
    """
    kind, check = ((EventKind.HOST_DOWN, UNUSED), (EventKind.HOST_UP, GOES_ON))[number % 2]
    return Event(kind, key, f"event {number}", 1.0, {"check": check})


class LateClonesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.said: list[tuple[str, int]] = []
        self.late = LateClones(self.clock.callLater, self.say)

    def say(self, event: Event, before: int) -> None:
        self.said.append((event.message, before))

    def test_limit(self) -> None:
        """
        The first event is said at once; after ten seconds the last one, with the number of
        those before it; and so on until nothing happens any more.
        """
        for number in range(5):
            self.assertTrue(self.late.takes(lateness(number)))
        self.assertEqual(self.said, [("event 0", 0)])
        self.clock.advance(INTERVAL)
        self.assertEqual(self.said[1:], [("event 4", 3)])
        self.late.takes(lateness(5))
        self.assertEqual(len(self.said), 2)
        self.clock.advance(INTERVAL)
        self.assertEqual(self.said[2:], [("event 5", 0)])
        self.clock.advance(INTERVAL)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.late.takes(lateness(6))
        self.assertEqual(self.said[3:], [("event 6", 0)])

    def test_each(self) -> None:
        """
        Each clone has an interval of its own.
        """
        self.late.takes(lateness(0))
        self.late.takes(lateness(2, ("web", "app", "clone1")))
        self.assertEqual(self.said, [("event 0", 0), ("event 2", 0)])

    def test_others(self) -> None:
        """
        Other events are the caller's, also if a clone is gone.
        """
        self.late.takes(lateness(0))
        gone = Event(EventKind.HOST_DOWN, KEY, "gone", 1.0, {"check": "it has ended"})
        added = Event(EventKind.HOST_ADDED, KEY, "added", 1.0)
        for event in (gone, added):
            self.assertFalse(self.late.takes(event))
        self.assertEqual(len(self.said), 1)

    def test_groups(self) -> None:
        """
        A group that is down as its clones are late is limited as they are; another one is not.
        """
        down = Event(EventKind.GROUP_DOWN, KEY[:2], "down", 1.0)
        self.assertFalse(self.late.takes(down))
        self.late.takes(lateness(0))
        for _ in range(3):
            self.assertTrue(self.late.takes(down))
        self.assertEqual(self.said, [("event 0", 0), ("down", 0)])
        self.assertFalse(self.late.takes(Event(EventKind.GROUP_DOWN, ("web", "b"), "", 1.0)))
        self.clock.advance(INTERVAL)
        self.assertEqual(self.said[2:], [("down", 1)])

    def test_flush(self) -> None:
        """
        At the end what is not said is said.
        """
        for number in range(3):
            self.late.takes(lateness(number))
        self.late.flush()
        self.assertEqual(self.said[1:], [("event 2", 1)])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_words(self) -> None:
        self.assertEqual(leftOut(0), "")
        self.assertEqual(leftOut(1), " (1 event of it in 10 s before this one: left out)")
        self.assertIn("12 events", leftOut(12))
