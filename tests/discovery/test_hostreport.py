"""
Tests for L{txlb.discovery._hostreport}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txlb.discovery._hostreport import LOAD_AGAIN, LOAD_PAUSE, HostReport
from txlb.wire import AgentHealth, AgentReply, AgentState


class HostReportTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reply: AgentReply | None = AgentReply()
        self.report = HostReport(self.say)

    def say(self) -> AgentReply:
        if self.reply is None:
            raise ZeroDivisionError
        return self.reply

    def load(self, percent: int | None, now: float) -> object:
        """
        Return the load that is announced if so much is left.
        """
        self.reply = AgentReply(percent=percent)
        return self.report.entry("ready", now)[0].get("load")

    def test_nothing(self) -> None:
        self.assertEqual(self.report.entry("ready", 7.0), ({"state": "ready"}, 0.0))

    def test_load(self) -> None:
        """
        A load is announced at once, and then if it differs enough, but not too often.
        """
        self.assertEqual(self.load(75, 10.0), 0.25)
        self.assertEqual(self.load(10, 10.0 + LOAD_PAUSE / 2), 0.25)
        self.assertEqual(self.load(73, 10.0 + LOAD_PAUSE), 0.25)
        self.assertEqual(self.load(10, 11.0 + LOAD_PAUSE), 0.9)
        self.assertIsNone(self.load(None, 11.5 + LOAD_PAUSE))
        self.assertEqual(self.load(300, 12.0 + LOAD_PAUSE), 0.0)

    def test_again(self) -> None:
        """
        A load that is the same is announced again from time to time.
        """
        self.load(75, 10.0)
        since = [self.report.entry("ready", 10.0 + now)[1] for now in range(65)]
        self.assertEqual(sorted(set(since)), [10.0, 10.0 + LOAD_AGAIN, 10.0 + 2 * LOAD_AGAIN])

    def test_capacity(self) -> None:
        self.reply = AgentReply(maxConnections=30)
        self.assertEqual(self.report.entry("ready", 1.0)[0], {"state": "ready", "capacity": 30})

    def test_states(self) -> None:
        for reply in (
            AgentReply(state=AgentState.DRAIN),
            AgentReply(state=AgentState.MAINT),
            AgentReply(health=AgentHealth.DOWN),
        ):
            self.reply = reply
            self.assertEqual(self.report.entry("ready", 1.0)[0], {"state": "drain"})
        self.reply = AgentReply(state=AgentState.READY, health=AgentHealth.UP)
        self.assertEqual(self.report.entry("ready", 1.0)[0], {"state": "ready"})
        self.assertEqual(self.report.entry("drain", 1.0)[0], {"state": "drain"})

    def test_broken(self) -> None:
        """
        A report that fails is logged once, and the host is announced without it.
        """
        self.reply = None
        for _ in range(3):
            self.assertEqual(self.report.entry("ready", 1.0)[0], {"state": "ready"})
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.load(75, 2.0), 0.25)
