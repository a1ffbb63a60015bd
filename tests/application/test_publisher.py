"""
Tests for L{txlb.application._publisher}.
"""

from __future__ import annotations

import json
import os
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.clients.stompbrokers import Brokers
from txlb.application import EventPublisher, LoadBalancedService, publisherOf
from txlb.clients import StompSettings
from txlb.clients._stompclient import MAX_WAITING
from txlb.config import EventsSettings
from txlb.errors import ModelError
from txlb.manager import proxyManagerFactory
from txlb.model import HostMapper

URL = "stomp://127.0.0.1:1"


class PublisherTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.brokers = Brokers(self, self.clock)
        self.manager = proxyManagerFactory(
            [HostMapper("web", "127.0.0.1:0", "main", host="a", address="127.0.0.1:7001")]
        )

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            self.clock.advance(0.05)

    def messages(self) -> list[Any]:
        return [json.loads(each.body) for each in self.brokers.sent]


class PublisherTests(PublisherTestCase):
    def start(self, brokers: Any = URL, **settings: Any) -> EventPublisher:
        publisher = EventPublisher(
            self.manager,
            brokers,
            "/topic/events",
            reactor=self.clock,
            seconds=self.clock.seconds,
            now=lambda: 1.5 + self.clock.seconds(),
            **settings,
        )
        publisher.startService()
        self.addCleanup(self.stop, publisher)
        self.advance(1)
        return publisher

    def stop(self, publisher: EventPublisher) -> None:
        stopping = publisher.stopService()
        self.advance(3)
        self.successResultOf(stopping)

    def test_publishes(self) -> None:
        publisher = self.start(name="lb1")
        with self.manager.by("ssh:ann"):
            self.manager.setWeight("web", "main", "a", 7)
        self.advance(0.2)
        (message,) = self.messages()
        self.assertEqual(
            {word: message[word] for word in ("number", "run", "from", "at", "kind", "key", "by")},
            {
                "number": 1,
                "run": "1970-01-01T00:00:01.500+00:00",
                "from": "lb1",
                "at": "1970-01-01T00:00:02.500+00:00",
                "kind": "host-weight",
                "key": ["web", "main", "a"],
                "by": "ssh:ann",
            },
        )
        (frame,) = self.brokers.sent
        self.assertEqual(frame.get("destination"), "/topic/events")
        self.assertEqual(frame.get("content-type"), "application/json")
        self.assertEqual((publisher.published, publisher.dropped), (1, 0))

    def test_name(self) -> None:
        self.start()
        self.manager.setWeight("web", "main", "a", 7)
        self.advance(0.2)
        self.assertTrue(self.messages()[0]["from"])

    def test_many(self) -> None:
        """
        If many events come at once they are written over several turns.
        """
        self.start()
        for weight in range(1, 201):
            self.manager.setWeight("web", "main", "a", weight + 1)
        waiting = self.brokers.link.transport.waiting
        self.advance(1)
        self.assertEqual([each["number"] for each in self.messages()], list(range(1, 201)))
        self.assertLess(waiting, sum(len(each.body) for each in self.brokers.sent) / 2)

    def test_away(self) -> None:
        """
        Events wait for a broker. What does not fit is dropped, counted, and seen by the numbers.
        """
        self.brokers.away = {URL}
        publisher = self.start()
        for weight in range(MAX_WAITING + 100):
            self.manager.setWeight("web", "main", "a", weight + 2)
            self.clock.advance(0.001)
        self.advance(1)
        self.assertEqual((publisher.published, publisher.dropped), (MAX_WAITING, 100))
        self.brokers.away = set()
        self.advance(15)
        self.assertEqual(len(self.messages()), MAX_WAITING)
        self.manager.setWeight("web", "main", "a", 1)
        self.advance(0.2)
        numbers = [each["number"] for each in self.messages()[-2:]]
        self.assertEqual(numbers, [MAX_WAITING, MAX_WAITING + 101])

    def test_once(self) -> None:
        """
        What was given to a broker that has then failed is not sent again.
        """
        self.start()
        self.brokers.silent = True
        self.manager.setWeight("web", "main", "a", 2)
        self.brokers.link.transport.reset()
        self.manager.setWeight("web", "main", "a", 3)
        self.brokers.silent = False
        self.advance(3)
        self.assertEqual([each["number"] for each in self.messages()], [2])

    def test_stop(self) -> None:
        """
        What has happened by then is published. Later events are not.
        """
        publisher = self.start()
        for weight in range(100):
            self.manager.setWeight("web", "main", "a", weight + 2)
        self.stop(publisher)
        self.assertEqual(len(self.messages()), 100)
        self.assertEqual(self.brokers.link.frames[-1].command, "DISCONNECT")
        self.manager.setWeight("web", "main", "a", 1)
        self.advance(30)
        self.assertEqual((len(self.messages()), publisher.published), (100, 100))
        publisher.startService()
        self.advance(1)
        self.manager.setWeight("web", "main", "a", 5)
        self.advance(0.2)
        self.assertEqual(len(self.messages()), 101)

    def test_settings(self) -> None:
        self.start(StompSettings([URL], user="me", password="secret"))
        self.assertEqual(self.brokers.link.frames[0].get("login"), "me")

    def test_wrong(self) -> None:
        for brokers, destination in (
            ("http://127.0.0.1:1", "/topic/x"),
            ("", "/topic/x"),
            (URL, "a b"),
        ):
            self.assertRaises(ModelError, EventPublisher, self.manager, brokers, destination)


class ConfiguredTests(PublisherTestCase):
    def test_files(self) -> None:
        """
        Files are read before each connection.
        """
        path = os.path.abspath(self.mktemp())
        settings = EventsSettings("stomp", (URL,), "/topic/events", user="me", passwordFile=path)
        publisher = publisherOf(settings, LoadBalancedService(self.manager, self.clock))
        publisher._reactor, publisher._seconds = self.clock, self.clock.seconds
        publisher.startService()
        self.advance(1)
        self.assertEqual(self.brokers.links, [])
        with open(path, "w") as file:
            file.write("secret\n")
        self.advance(15)
        frame = self.brokers.link.frames[0]
        self.assertEqual((frame.get("login"), frame.get("passcode")), ("me", "secret"))
        stopping = publisher.stopService()
        self.advance(3)
        self.successResultOf(stopping)

    def test_wrongCertificate(self) -> None:
        path = os.path.abspath(self.mktemp())
        with open(path, "w") as file:
            file.write("none\n")
        settings = EventsSettings("stomp", (URL,), "/topic/events", ca=path)
        publisher = publisherOf(settings, LoadBalancedService(self.manager, self.clock))
        publisher._reactor, publisher._seconds = self.clock, self.clock.seconds
        publisher.startService()
        self.advance(1)
        self.assertIn("of <events>", publisher.trouble)
        self.successResultOf(publisher.stopService())
