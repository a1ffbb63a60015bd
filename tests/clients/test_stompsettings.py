"""
Tests for L{txlb.clients._stompsettings} and L{txlb.model.kinds._brokerurl}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txlb.clients import StompBroker, StompSettings
from txlb.errors import ModelError

URL = "stomp://127.0.0.1:61613"


class BrokerTests(SynchronousTestCase):
    def test_right(self) -> None:
        for url, host, port, secure in (
            (URL, "127.0.0.1", 61613, False),
            ("stomp+ssl://broker.example.org:1", "broker.example.org", 1, True),
            ("stomp://[::1]:65535", "::1", 65535, False),
        ):
            broker = StompBroker.of(url)
            self.assertEqual((broker.host, broker.port, broker.secure), (host, port, secure))
            self.assertEqual(str(broker), url)

    def test_wrong(self) -> None:
        """
        A wrong URL is not shown, as there may be a password in it.
        """
        for url in (
            "stomp://127.0.0.1",
            "stomp://127.0.0.1:0",
            "stomp://127.0.0.1:65536",
            "http://127.0.0.1:1",
            "stomp://me:secret@127.0.0.1:61613",
            "stomp://[x]:1",
        ):
            error = self.assertRaises(ModelError, StompBroker.of, url)
            self.assertNotIn("secret", str(error))
            self.assertIn("stomp://HOST:PORT", str(error))


class SettingsTests(SynchronousTestCase):
    def test_wrong(self) -> None:
        more: list[dict[str, Any]] = [
            {"user": "a\nb"},
            {"password": "a\rb"},
            {"virtualHost": "\0"},
            {"heartBeat": 0.01},
            {"heartBeat": 61.0},
            {"ca": b"none"},
            {"clientCertificate": b"none"},
        ]
        for each in more:
            self.assertRaises(ModelError, StompSettings, [URL], **each)
        self.assertRaises(ModelError, StompSettings, [])
        self.assertRaises(ModelError, StompSettings, ["x"])

    def test_noSecrets(self) -> None:
        self.assertNotIn("secret", repr(StompSettings([URL], user="me", password="secret")))

    def test_endpoints(self) -> None:
        for url, host in (
            (URL, "127.0.0.1"),
            ("stomp://[::1]:61613", "::1"),
            ("stomp+ssl://127.0.0.1:61613", "127.0.0.1"),
        ):
            reactor = MemoryReactorClock()
            settings = StompSettings([url])
            endpoint: Any = settings.endpoint(reactor, StompBroker.of(url))
            endpoint.connect(None)
            self.assertEqual(reactor.tcpClients[0][:2], (host, 61613))
        url = "stomp://broker.example.org:7"
        self.assertIn("7", repr(StompSettings([url]).endpoint(reactor, StompBroker.of(url))))
