"""
Tests for L{txlb.clients._stompclient} and L{txlb.clients._stompconnection} with brokers in memory;
C{integration/test_stomp.py} has a real one.
"""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.clients.stompbrokers import Brokers
from txlb.clients import (
    StompClient,
    StompError,
    StompSettings,
    StompUnreachable,
    longestReturn,
)
from txlb.clients import _stompclient as stompclient
from txlb.clients._stompconnection import MAX_RECEIPTS
from txlb.deadlines import Deadlines
from txlb.wire import StompFrame, StompFrameError

ONE, TWO = "stomp://127.0.0.1:1", "stomp://127.0.0.1:2"


class ClientTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.brokers = Brokers(self, self.clock)
        self.told: list[str] = []
        self.heard: list[bytes] = []

    def make(self, *urls: str, **settings: Any) -> StompClient:
        deadlines = Deadlines(self.clock, self.clock.seconds)
        client = StompClient(
            None,
            StompSettings(urls or (ONE,), heartBeat=1.0, **settings),
            deadlines,
            up=lambda: self.told.append("up"),
            down=self.told.append,
            random=Random(1),
        )
        self.addCleanup(client.stop)
        return client

    def start(self, *urls: str, **settings: Any) -> StompClient:
        client = self.make(*urls, **settings)
        client.subscribe("/topic/hosts", lambda frame: self.heard.append(frame.body))
        client.start()
        self.advance(1.0)
        return client

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            self.clock.advance(0.05)

    def commands(self) -> list[str]:
        return [each.command for each in self.brokers.link.frames]


class ConnectingTests(ClientTestCase):
    def test_connects(self) -> None:
        client = self.start(user="me", password="a:b\\", virtualHost="web")
        self.assertEqual((self.told, client.isUp), (["up"], True))
        connect, subscribe = self.brokers.link.frames
        self.assertEqual(
            connect,
            StompFrame(
                "CONNECT",
                {
                    "accept-version": "1.2",
                    "host": "web",
                    "heart-beat": "1000,1000",
                    "login": "me",
                    "passcode": "a:b\\",
                },
            ),
        )
        self.assertEqual(subscribe.get("destination"), "/topic/hosts")
        self.brokers.link.message(b"hello")
        self.brokers.link.send("MESSAGE", {"subscription": "9"}, b"another")
        self.assertEqual(self.heard, [b"hello"])

    def test_inOrder(self) -> None:
        """
        The first broker that accepts is used. After its loss the next one is tried.
        """
        self.brokers.away = {ONE}
        self.start(ONE, TWO)
        self.assertEqual(self.brokers.tried, [ONE, TWO])
        self.assertIn(f"{ONE}: Connection was refused", self.told[0])
        self.assertEqual(self.told[1:], ["up"])
        self.brokers.away = {TWO}
        self.brokers.link.transport.reset()
        self.advance(2.0)
        self.assertEqual(self.brokers.tried[2:], [ONE])
        self.assertEqual(self.told[3:], ["up"])

    def test_pausesGrow(self) -> None:
        self.brokers.away = {ONE, TWO}
        client = self.make(ONE, TWO)
        client.start()
        self.advance(60.0)
        count = len(self.brokers.tried)
        self.assertGreater(count, 8)
        self.assertLess(count, 24)
        self.advance(60.0)
        # A try each five seconds, a fifth more or less.
        self.assertLessEqual(len(self.brokers.tried) - count, 15)
        self.brokers.away = set()
        self.advance(longestReturn(1))
        self.assertTrue(client.isUp)

    def test_pauseAfterRefusals(self) -> None:
        """
        A broker that accepts and then tells an error is not asked again and again at once; one
        that has served for some time is.
        """
        client = self.start()
        for _ in range(4):
            self.brokers.link.send("ERROR", {"message": "go away"})
            self.advance(0.1)
        count = len(self.brokers.tried)
        self.assertLessEqual(count, 3)
        self.advance(20)
        self.assertTrue(client.isUp)
        count = len(self.brokers.tried)
        self.brokers.link.transport.reset()
        self.advance(0.5)
        self.assertEqual(len(self.brokers.tried), count + 1)

    def test_errors(self) -> None:
        """
        The error of a broker is told in one line, without control characters.
        """
        self.start()
        link = self.brokers.link
        link.send("ERROR", {"message": "no\x1b[1m right"}, b"the user\nat a.java.Class\n")
        self.assertEqual(self.told[1:], [f"{ONE} tells an error: no?[1m right: the user"])
        self.assertTrue(link.transport.closed)
        self.advance(1)
        self.brokers.link.send("ERROR")
        self.assertIn("without words", self.told[-1])
        self.advance(2)
        self.brokers.link.send("ERROR", {"message": "x" * 1000})
        self.assertLess(len(self.told[-1]), 300)

    def test_wrongAnswers(self) -> None:
        for answer, said in (
            ({"version": "1.1"}, "not with STOMP 1.2"),
            ({"version": "1.2"}, "sends no heart-beat"),
            ({"version": "1.2", "heart-beat": "0,0"}, "sends no heart-beat"),
            ({"version": "1.2", "heart-beat": "61000,0"}, "sends no heart-beat within 60 s"),
            ({"version": "1.2", "heart-beat": "x"}, "does not speak STOMP 1.2"),
        ):
            with self.subTest(answer):
                self.told.clear()
                self.brokers.answer = answer
                client = self.make()
                client.start()
                self.advance(0.1)
                self.assertIn(said, self.told[0])
                client.stop()

    def test_noSTOMP(self) -> None:
        self.brokers.silent = True
        client = self.make()
        client.start()
        self.brokers.link.transport.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.assertIn("does not speak STOMP", self.told[0])
        self.advance(1)
        self.brokers.link.transport.send(b"CONNECTED\nversion:1.2\nheart-beat:1000,0\n\n\0")
        self.brokers.link.send("SEND")
        self.assertEqual(self.told[1], "up")
        self.assertIn("has sent the frame SEND", self.told[2])

    def test_noAnswer(self) -> None:
        """
        A broker that does not answer to C{CONNECT} is left, and so is a name that is not found.
        """
        self.brokers.silent = True
        client = self.make()
        client.start()
        self.advance(4.9)
        self.assertEqual(self.told, [])
        self.advance(0.3)
        self.assertIn("has not answered within 5 s", self.told[0])
        self.brokers.waits = True
        self.advance(1)
        self.assertEqual(len(self.brokers.connecting), 1)
        self.advance(11)
        self.assertIn("no answer in time", self.told[1])

    def test_subscriptionRefused(self) -> None:
        self.brokers.serve = lambda link, frame: link.send(  # type: ignore[method-assign]
            *(("CONNECTED", self.brokers.answer) if frame.command == "CONNECT" else ("ERROR",))
        )
        client = self.start()
        self.assertFalse(client.isUp)
        self.assertIn("tells an error", self.told[0])

    def test_subscriptionUnanswered(self) -> None:
        self.brokers.serve = lambda link, frame: (  # type: ignore[method-assign]
            link.send("CONNECTED", self.brokers.answer) if frame.command == "CONNECT" else None
        )
        self.start()
        self.advance(4.5)
        self.assertIn("has not confirmed a frame in time", self.told[0])
        self.assertTrue(self.brokers.links[0].transport.closed)

    def test_wrongDestination(self) -> None:
        client = self.make()
        client.subscribe("\0", lambda _: None)
        client.start()
        self.advance(0.2)
        self.assertIn("has a NUL", self.told[0])

    def test_stopWhileConnecting(self) -> None:
        self.brokers.waits = True
        client = self.make()
        client.start()
        self.successResultOf(client.stop())
        self.assertTrue(self.brokers.connecting[0].called)
        self.advance(20)
        self.assertEqual((len(self.brokers.tried), self.told), (1, []))

    def test_stopBeforeAnswer(self) -> None:
        self.brokers.silent = True
        client = self.make()
        client.start()
        self.successResultOf(client.stop())
        self.assertTrue(self.brokers.link.transport.closed)


class HeartBeatTests(ClientTestCase):
    def test_both(self) -> None:
        """
        Heart-beats go in the agreed time, and a broker that sends some is kept.
        """
        self.brokers.answer["heart-beat"] = "1000,3000"
        client = self.start()
        self.advance(30)
        self.assertTrue(client.isUp)
        self.assertGreaterEqual(self.brokers.link.beats, 30 // 3)
        self.assertLessEqual(self.brokers.link.beats, 30)

    def test_noneWanted(self) -> None:
        self.brokers.answer["heart-beat"] = "1000,0"
        self.start()
        self.advance(10)
        self.assertEqual(self.brokers.link.beats, 0)

    def test_silent(self) -> None:
        """
        A broker that sends nothing for twice the agreed time is left.
        """
        self.brokers.answer["heart-beat"] = "3000,1000"
        self.start(ONE, TWO)
        self.advance(5)
        self.brokers.beating = False
        self.advance(4.5)
        self.assertEqual(self.told, ["up"])
        self.advance(2.5)
        self.assertIn("has sent nothing for 6 s", self.told[1])
        self.assertEqual(self.brokers.tried, [ONE, TWO])

    def test_messagesCount(self) -> None:
        """
        What else a broker sends is a sign of life as well.
        """
        client = self.start()
        self.brokers.beating = False
        for _ in range(20):
            self.brokers.link.message(b"x")
            self.advance(1)
        self.assertTrue(client.isUp)
        self.assertEqual(len(self.heard), 20)

    def test_slowReader(self) -> None:
        """
        While a broker does not read, no heart-beat is written.
        """
        client = self.start()
        self.brokers.silent = True
        self.assertTrue(client.send("/topic/x", b"x" * 100_000))
        waiting = self.brokers.link.transport.waiting
        self.advance(1.5)
        self.assertEqual(self.brokers.link.transport.waiting, waiting)


class SendingTests(ClientTestCase):
    def test_sends(self) -> None:
        client = self.start()
        self.assertTrue(client.send("/topic/hosts", b"1", {"content-type": "a/b"}))
        self.advance(0.1)
        (frame,) = self.brokers.sent
        self.assertEqual(frame.headers, {"content-type": "a/b", "destination": "/topic/hosts"})
        self.assertEqual(self.heard, [b"1"])

    def test_waits(self) -> None:
        """
        Messages wait for a broker in their order. What does not fit is dropped and counted.
        """
        client = self.make()
        for number in range(stompclient.MAX_WAITING + 5):
            fits = client.send("/topic/x", b"%d" % number)
            self.assertEqual(fits, number < stompclient.MAX_WAITING)
        self.assertEqual((client.dropped, client.waiting), (5, stompclient.MAX_WAITING))
        client.start()
        self.advance(1)
        bodies = [int(each.body) for each in self.brokers.sent]
        self.assertEqual(bodies, list(range(stompclient.MAX_WAITING)))
        self.assertEqual(client.waiting, 0)
        self.assertTrue(client.send("/topic/x", b"more"))

    def test_bytes(self) -> None:
        client = self.make()
        sizes = [client.send("/topic/x", b"x" * 300_000) for _ in range(5)]
        self.assertEqual(sizes, [True, True, True, False, False])
        self.assertFalse(client.send("/topic/x", b"x" * (2 << 20)))
        self.assertEqual(client.dropped, 3)

    def test_slow(self) -> None:
        """
        What a broker does not read stays within bounds: of the connection, and of the queue.
        """
        client = self.start()
        self.brokers.silent = True
        for _ in range(5000):
            client.send("/topic/x", b"x" * 1000)
        self.assertLess(self.brokers.link.transport.waiting, 70_000)
        self.assertGreater(client.dropped, 3000)
        dropped = client.dropped
        self.brokers.silent = False
        self.advance(1)
        self.assertEqual(len(self.brokers.sent), 5000 - dropped)

    def test_once(self) -> None:
        """
        What was written is not sent again, over another connection or not.
        """
        client = self.start()
        self.brokers.silent = True
        client.send("/topic/x", b"lost")
        self.brokers.link.transport.reset()
        client.send("/topic/x", b"waits")
        self.brokers.silent = False
        self.advance(2)
        self.assertEqual([each.body for each in self.brokers.sent], [b"waits"])

    def test_deliver(self) -> None:
        client = self.make()
        self.failureResultOf(client.deliver("/topic/x", b""), StompUnreachable)
        client.start()
        self.advance(1)
        done = client.deliver("/topic/x", b"x")
        self.assertNoResult(done)
        self.advance(0.1)
        self.assertIsNone(self.successResultOf(done))
        self.brokers.link.send("RECEIPT", {"receipt-id": "99"})
        self.failureResultOf(client.deliver("\0", b"x"), StompFrameError)

    def test_deliverFails(self) -> None:
        client = self.start()
        self.brokers.silent = True
        late, lost = client.deliver("/a", b"", timeout=0.5), client.deliver("/a", b"")
        self.advance(0.6)
        self.failureResultOf(late, StompUnreachable)
        self.brokers.link.send("ERROR", {"message": "no"})
        self.failureResultOf(lost, StompError)

    def test_tooManyReceipts(self) -> None:
        client = self.start()
        self.brokers.silent = True
        waiting = [client.deliver("/a", b"") for _ in range(MAX_RECEIPTS + 1)]
        self.failureResultOf(waiting.pop(), StompUnreachable)
        self.brokers.silent = False
        self.advance(0.1)
        self.assertEqual([self.successResultOf(each) for each in waiting], [None] * MAX_RECEIPTS)

    def test_subscriberFails(self) -> None:
        client = self.make()
        client.subscribe("/topic/hosts", lambda _: 1 // 0)
        client.start()
        self.advance(0.5)
        self.brokers.link.message(b"x")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(client.isUp)


class StoppingTests(ClientTestCase):
    def test_takesLeave(self) -> None:
        """
        What was sent is there before the connection ends.
        """
        client = self.start()
        client.send("/topic/x", b"last")
        stopping = client.stop()
        self.assertNoResult(stopping)
        self.advance(0.1)
        self.successResultOf(stopping)
        self.assertEqual(self.commands(), ["CONNECT", "SUBSCRIBE", "SEND", "DISCONNECT"])
        self.assertTrue(self.brokers.link.transport.closed)
        self.advance(30)
        self.assertEqual((len(self.brokers.tried), self.told), (1, ["up"]))
        self.successResultOf(client.stop())

    def test_silent(self) -> None:
        client = self.start()
        self.brokers.silent = True
        stopping = client.stop()
        self.advance(1.9)
        self.assertNoResult(stopping)
        self.advance(0.2)
        self.successResultOf(stopping)
        self.assertTrue(self.brokers.link.transport.closed)

    def test_lost(self) -> None:
        client = self.start()
        stopping = client.stop()
        self.brokers.link.transport.reset()
        self.successResultOf(stopping)
        self.advance(30)
        self.assertEqual(len(self.brokers.tried), 1)
