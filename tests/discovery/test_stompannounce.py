"""
Tests for L{txlb.discovery._stompannounce}.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.clients.stompbrokers import Brokers
from tests.discovery.test_file import Findings, Waiting
from tests.fired import fired
from txlb.deadlines import Deadlines
from txlb.discovery import SourceTools, StompAnnounceService, makeSource
from txlb.errors import ModelError
from txlb.model import Discovery
from txlb.wire import AgentReply, AgentState

ONE, TWO = "stomp://127.0.0.1:1", "stomp://127.0.0.1:2"


class StompAnnounceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.brokers = Brokers(self, self.clock)

    def make(self, url: str = f"{ONE} {TWO}", **settings: Any) -> StompAnnounceService:
        return StompAnnounceService(
            url,
            "web",
            "main",
            "127.0.0.1:7001",
            reactor=self.clock,
            seconds=self.clock.seconds,
            now=lambda: 1000.0 + self.clock.seconds(),
            **settings,
        )

    def start(self, **settings: Any) -> StompAnnounceService:
        service = self.make(**settings)
        service.startService()
        self.advance(1)
        return service

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            self.clock.advance(0.05)

    def messages(self) -> list[Any]:
        return [json.loads(each.body) for each in self.brokers.sent]

    def states(self) -> list[tuple[str, float]]:
        return [(each["hosts"][0]["state"], each["ttl"]) for each in self.messages()]

    def test_replacedCredentials(self) -> None:
        """
        Other credentials count for the next connection, unless one of them can't be used.
        """
        service = self.start(user="me", password="old")
        self.assertRaises(ModelError, service.replaceCredentials, "a\nb")
        self.assertRaises(ModelError, service.replaceCredentials, "new", b"garbage")
        self.assertEqual(service._settings.password, "old")
        service.replaceCredentials("new")
        self.assertEqual(fired(Deferred.fromCoroutine(service._present())).password, "new")
        self.assertEqual((service._settings.user, service._settings.brokers), ("me", (ONE, TWO)))

    def test_announces(self) -> None:
        service = self.start(weight=3, metadata={"zone": "a"}, priority=1)
        self.assertTrue(service.announced)
        (message,) = self.messages()
        self.assertEqual(
            message,
            {
                "ttl": 6.0,
                "sequence": 1000_000_001,
                "hosts": [
                    {
                        "service": "web",
                        "group": "main",
                        "name": "127.0.0.1:7001",
                        "address": "127.0.0.1:7001",
                        "weight": 3,
                        "priority": 1,
                        "state": "ready",
                        "metadata": {"zone": "a"},
                        "capacity": 0,
                    }
                ],
            },
        )
        self.assertEqual(self.brokers.sent[0].get("destination"), "/topic/txlb.hosts")

    def test_repeats(self) -> None:
        self.start()
        self.advance(30)
        sequences = [each["sequence"] for each in self.messages()]
        self.assertIn(len(sequences), range(14, 17))
        self.assertEqual(sequences, sorted(set(sequences)))

    def test_found(self) -> None:
        """
        A source finds what the service announces, until it says that it is gone.
        """
        findings = Findings()
        deadlines = Deadlines(self.clock, self.clock.seconds)
        tools = SourceTools(("web", "main"), self.clock, deadlines, "", Waiting(), {})
        options = {"url": ONE, "destination": "/topic/txlb.hosts", "settle": 0.2}
        source = makeSource(Discovery("stomp", options=options), tools)
        self.addCleanup(source.stop)
        source.start(findings)
        service = self.start(name="app")
        self.advance(3)
        self.assertEqual(findings.answers[-1], ["app"])
        count = len(findings.answers)
        self.advance(60)
        self.assertEqual(len(findings.answers), count)
        service.stopService()
        self.advance(5)
        self.assertEqual(findings.answers[-1], [])

    def test_reports(self) -> None:
        """
        Messages have what the host reports of itself.
        """
        replies = [AgentReply(percent=25, maxConnections=9)]
        self.start(report=lambda: replies[-1])
        self.advance(3)
        replies.append(AgentReply(state=AgentState.MAINT))
        self.advance(3)
        first, last = self.messages()[0]["hosts"][0], self.messages()[-1]["hosts"][0]
        self.assertEqual([first[each] for each in ("load", "capacity")], [0.75, 9])
        self.assertEqual(last["state"], "drain")

    def test_drains(self) -> None:
        service = self.start()
        service.drain()
        self.assertFalse(service.announced)
        self.advance(0.2)
        self.assertTrue(service.announced)
        service.ready()
        self.advance(0.2)
        self.assertEqual(self.states(), [("ready", 6.0), ("drain", 6.0), ("ready", 6.0)])

    def test_stop(self) -> None:
        """
        The host says drain, waits, and says that it is gone.
        """
        service = self.start(drainTime=2.0)
        stopping = service.stopService()
        self.advance(0.2)
        self.assertEqual(self.states()[1:], [("drain", 6.0)])
        self.advance(1.5)
        self.assertNoResult(stopping)
        self.advance(0.8)
        self.assertIsNone(self.successResultOf(stopping))
        self.assertEqual(self.states()[1:], [("drain", 6.0), ("drain", 0)])
        self.assertEqual(self.brokers.link.frames[-1].command, "DISCONNECT")
        self.assertIsNone(self.successResultOf(service.stopService()))
        self.advance(30)
        self.assertEqual(len(self.messages()), 3)

    def test_restart(self) -> None:
        """
        The numbers of the next run are larger.
        """
        service = self.start(drainTime=0)
        self.advance(10)
        self.successResultOf_(service)
        last = self.messages()[-1]["sequence"]
        service.startService()
        self.advance(1)
        self.assertGreater(self.messages()[-1]["sequence"], last)
        self.successResultOf_(service)

    def successResultOf_(self, service: StompAnnounceService) -> None:
        stopping = service.stopService()
        self.advance(1)
        self.successResultOf(stopping)

    def test_stopWhileSilent(self) -> None:
        """
        The end does not wait for a broker that is silent.
        """
        service = self.start(drainTime=1.0)
        self.brokers.silent = True
        stopping = service.stopService()
        self.advance(1)
        self.assertNoResult(stopping)
        self.advance(6.5)
        self.successResultOf(stopping)

    def test_stopWhileAway(self) -> None:
        self.brokers.away = {ONE, TWO}
        service = self.start()
        self.assertFalse(service.announced)
        self.successResultOf(service.stopService())
        self.advance(30)
        self.assertEqual(self.brokers.links, [])

    def test_comesBack(self) -> None:
        """
        After a loss the host is announced by the next broker.
        """
        service = self.start()
        self.brokers.away = {ONE}
        self.brokers.link.transport.reset()
        self.assertFalse(service.announced)
        self.advance(2)
        self.assertEqual(self.brokers.link.url, TWO)
        self.assertTrue(service.announced)
        self.brokers.away = {ONE, TWO}
        self.brokers.link.transport.reset()
        self.advance(300)
        self.assertFalse(service.announced)
        self.brokers.away = {TWO}
        self.advance(25)
        self.assertTrue(service.announced)

    def test_notConfirmed(self) -> None:
        """
        A broker that confirms nothing does not have the host.
        """
        service = self.start()
        self.patch(self.brokers, "serve", lambda _, __: None)
        self.advance(8)
        self.assertFalse(service.announced)

    def test_wrong(self) -> None:
        for settings in (
            {"url": ""},
            {"url": "http://127.0.0.1:2379"},
            {"destination": "a b"},
            {"ttl": 0.5},
            {"drainTime": -1},
            {"weight": -1},
            {"name": "a/b"},
            {"password": "a\nb"},
            {"ca": b"none"},
            {"metadata": {f"n{each}": "x" * 255 for each in range(32)} | {"é" * 200: "é" * 250}},
            {"metadata": {f"{each}{'é' * 200}": "é" * 250 for each in range(9)}},
        ):
            with self.subTest(settings):
                self.assertRaises(ModelError, self.make, **settings)
