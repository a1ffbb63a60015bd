"""
Tests for L{txlb.discovery._announcement}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txlb.deadlines import Deadlines
from txlb.discovery._announcement import PATIENCE, Announcement
from txlb.errors import ModelError, TxlbError
from txlb.wire import AgentReply, AgentState


class AnnouncementTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock, self.clock.seconds)
        self.addCleanup(self.deadlines.stop)
        self.done: list[str] = []

    def make(self, **settings: Any) -> Announcement:
        given: dict[str, Any] = {
            "service": "web",
            "group": "main",
            "address": "127.0.0.1:7001",
            "name": None,
            "weight": 1,
            "priority": 0,
            "metadata": None,
            "report": None,
            "drainTime": 2.0,
        }
        return Announcement(**{**given, **settings})

    def leave(self, announcement: Announcement, say: Any = None, end: Any = None) -> Deferred[None]:
        def does(name: str) -> Any:
            def do() -> Deferred[None]:
                self.done.append(f"{name} {announcement.state}")
                return succeed(None)

            return do

        return announcement.leave(self.deadlines, 5.0, say or does("say"), end or does("end"))

    def test_entry(self) -> None:
        """
        The entry has the settings of the host, its state, and what it reports.
        """
        replies = [AgentReply(percent=75, maxConnections=9)]
        announcement = self.make(weight=3, metadata={"zone": "a"}, report=lambda: replies[0])
        entry, since = announcement.entry(7.0)
        self.assertEqual((entry["name"], entry["weight"]), ("127.0.0.1:7001", 3))
        self.assertEqual((entry["state"], entry["load"], entry["capacity"]), ("ready", 0.25, 9))
        self.assertEqual(since, 7.0)
        self.assertEqual(announcement.place, {"service": "web", "group": "main"})
        announcement.state = "drain"
        self.assertEqual(announcement.entry(8.0)[0]["state"], "drain")
        announcement.begin()
        replies[0] = AgentReply(state=AgentState.DRAIN)
        self.assertEqual(announcement.entry(9.0)[0]["state"], "drain")

    def test_pathAsName(self) -> None:
        announcement = self.make(address="unix:/run/app")
        self.assertEqual(announcement.host.name, "unix:-run-app")

    def test_leave(self) -> None:
        """
        It says drain, waits, and ends.
        """
        leaving = self.leave(self.make())
        self.assertEqual(self.done, ["say drain"])
        self.clock.advance(1.9)
        self.assertNoResult(leaving)
        self.clock.advance(0.2)
        self.assertIsNone(self.successResultOf(leaving))
        self.clock.advance(2 * PATIENCE)
        self.assertEqual(self.done, ["say drain", "end drain"])

    def test_leaveSilent(self) -> None:
        """
        A registry that does not answer is left after its time, in whichever part that is.
        """
        for parts in {"say": Deferred}, {"end": Deferred}:
            with capturedLogs() as logged:
                leaving = self.leave(self.make(), **parts)
                for _ in range(round((2.0 + PATIENCE) / 0.5)):
                    self.assertNoResult(leaving)
                    self.clock.advance(0.5)
                self.clock.advance(0.5)
            self.assertIsNone(self.successResultOf(leaving))
            self.assertIn("goes within 5.0 s: no answer in time", formatEvent(logged[-1]))

    def test_leaveFails(self) -> None:
        with capturedLogs() as logged:
            leaving = self.leave(self.make(), say=lambda: fail(TxlbError("it is away")))
        self.assertIsNone(self.successResultOf(leaving))
        self.assertIn("it is away", formatEvent(logged[-1]))

    def test_trouble(self) -> None:
        """
        Trouble is told once, and its end.
        """
        announcement = self.make(name="one")
        with capturedLogs() as logged:
            announcement.announced()
            for _ in range(3):
                announcement.failed(Failure(TxlbError("it is away")))
            announcement.announced()
            announcement.announced()
        self.assertEqual(
            [formatEvent(each) for each in logged],
            ["one is not announced: it is away; trying again", "one is announced again"],
        )

    def test_unexpected(self) -> None:
        announcement = self.make()
        announcement.failed(Failure(ZeroDivisionError()))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_wrong(self) -> None:
        for wrong in ({"service": "a/b"}, {"group": ""}, {"weight": -1}, {"drainTime": -1.0}):
            with self.subTest(wrong):
                self.assertRaises(ModelError, self.make, **wrong)
