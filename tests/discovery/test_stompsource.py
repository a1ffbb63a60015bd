"""
Tests for L{txlb.discovery._stomp}, L{txlb.discovery._stompsource} and
L{txlb.discovery._stompfeed} with a broker in memory; C{integration/test_stomp.py} has a real one.
"""

from __future__ import annotations

import json
import os
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.clients.stompbrokers import Brokers
from tests.discovery.test_file import Findings, Waiting
from txlb.deadlines import Deadlines
from txlb.discovery import FoundHost, SourceTools, makeSource
from txlb.discovery import _stompfeed as stompfeed
from txlb.errors import TxlbError
from txlb.interfaces import IHostSource
from txlb.model import Discovery
from txlb.testing import HostSourceContract

ONE, TWO = "stomp://127.0.0.1:1", "stomp://127.0.0.1:2"


class ContractTests(HostSourceContract, SynchronousTestCase):
    """
    Hosts that repeat their messages are a source.
    """

    def makeSource(self, clock: Clock) -> IHostSource:
        self.brokers = Brokers(self, clock)
        self.hosts: tuple[FoundHost, ...] = ()
        deadlines = Deadlines(clock, clock.seconds)
        tools = SourceTools(("web", "main"), clock, deadlines, "", Waiting(), {})
        self.repeat()
        return makeSource(
            Discovery("stomp", options={"url": ONE, "destination": "/topic/hosts"}), tools
        )

    def repeat(self) -> None:
        self.clock.callLater(1.0, self.repeat)
        for link in self.brokers.links:
            for host in self.hosts:
                body = json.dumps({"ttl": 4, "hosts": [host.asDict()]})
                link.message(body.encode())

    def say(self, *hosts: FoundHost) -> None:
        self.brokers.away = set()
        self.hosts = hosts

    def fail_(self) -> None:
        self.brokers.away = {ONE}


class StompSourceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.brokers = Brokers(self, self.clock)
        self.findings = Findings()
        self.shared: dict[tuple[str, object], Any] = {}

    def make(self, group: str = "main", **options: Any) -> IHostSource:
        deadlines = Deadlines(self.clock, self.clock.seconds)
        place = "web", group
        tools = SourceTools(place, self.clock, deadlines, "", Waiting(), self.shared)
        given = {"url": ONE, "destination": "/topic/hosts", **options}
        source = makeSource(Discovery("stomp", options=given), tools)
        self.addCleanup(source.stop)
        return source

    def start(self, **options: Any) -> IHostSource:
        source = self.make(**options)
        source.start(self.findings)
        self.advance(1)
        return source

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            self.clock.advance(0.05)

    def say(self, *names: str, **more: Any) -> None:
        """
        Send a message of hosts.
        """
        link = more.pop("link", self.brokers.links[-1])
        top = {word: more.pop(word) for word in ("ttl", "sequence") if word in more}
        hosts = [{"name": each, "address": f"127.0.0.1:{80 + ord(each)}", **more} for each in names]
        link.message(json.dumps({"hosts": hosts, **top}).encode())

    def test_settles(self) -> None:
        """
        The first hosts are reported together; later ones at once.
        """
        self.start()
        self.assertEqual(self.findings.answers, [])
        self.say("a")
        self.say("b", "c")
        self.advance(3)
        self.assertEqual(self.findings.answers, [["a", "b", "c"]])
        self.say("d")
        self.say("a", state="drain")
        self.advance(0.2)
        self.assertEqual(self.findings.answers[1:], [["a", "b", "c", "d"]])
        self.say("d")
        self.advance(0.2)
        self.assertEqual(len(self.findings.answers), 2)

    def test_loads(self) -> None:
        """
        New loads are reported together, within some seconds.
        """
        self.start(settle=0.2)
        self.say("a", "b", load=0.5)
        self.advance(1)
        count = len(self.findings.answers)
        for _ in range(10):
            self.say("a", load=0.25)
            self.advance(0.1)
        self.advance(1)
        self.assertEqual(self.findings.answers[count:], [["a", "b"]])
        self.say("a")
        self.advance(2)
        self.assertEqual(len(self.findings.answers), count + 1)

    def test_none(self) -> None:
        """
        If no host is heard the answer has none.
        """
        self.start()
        self.advance(4)
        self.assertEqual(self.findings.answers, [[]])
        self.say("a")
        self.advance(2)
        self.say("b")
        self.advance(2)
        self.assertEqual(self.findings.answers[1:], [["a", "b"]])

    def test_bareList(self) -> None:
        """
        A list of hosts will do. They are there for the time of the option C{lifetime}.
        """
        self.start(lifetime=5, settle=0.2)
        self.brokers.link.message(b'[{"address": "127.0.0.1:80"}]')
        self.advance(1)
        self.assertEqual(self.findings.answers[-1], ["127.0.0.1:80"])
        self.advance(5)
        self.assertEqual(self.findings.answers[-1], ["127.0.0.1:80"])
        self.advance(3)
        self.assertEqual(self.findings.answers[-1], [])

    def test_groups(self) -> None:
        """
        Groups share a connection, and have the hosts that are for them.
        """
        self.start(settle=0.2)
        other = self.make("other", settle=0.2)
        found = Findings()
        other.start(found)
        self.say("a", service="web", group="main")
        self.say("b", service="web", group="other")
        self.say("c", service="mail")
        self.say("d")
        self.advance(1)
        self.assertEqual(self.findings.answers[-1], ["a", "d"])
        self.assertEqual(found.answers[-1], ["b", "d"])
        self.assertEqual(len(self.brokers.links), 1)
        other.stop()
        self.advance(1)
        self.assertFalse(self.brokers.link.transport.closed)
        late = Findings()
        other.start(late)
        self.brokers.away = {ONE}
        self.brokers.link.transport.reset()
        self.advance(0.1)
        self.assertEqual(len(late.troubles), 1)
        third = Findings()
        self.make("third", settle=0.2).start(third)
        self.assertEqual(len(third.troubles), 1)
        # Those with other options have one of their own.
        self.brokers.away = set()
        self.make("fourth", settle=0.3).start(Findings())
        self.assertEqual(len(self.brokers.links), 2)
        self.assertEqual(len(self.shared), 2)

    def test_brokerAway(self) -> None:
        """
        While there is no broker the hosts stay. When one is back they have their time anew.
        """
        self.start(settle=0.2, url=f"{ONE} {TWO}")
        self.say("a", "b", ttl=6)
        self.advance(1)
        self.brokers.away = {ONE, TWO}
        for link in self.brokers.links:
            link.transport.reset()
        self.advance(120)
        self.assertIn("Connection was refused", self.findings.troubles[-1])
        self.assertEqual(self.findings.answers[-1], ["a", "b"])
        self.brokers.away = {ONE}
        count = len(self.findings.answers)
        while len(self.brokers.links) == 2:
            self.advance(0.05)
        self.advance(1)
        self.assertEqual(self.findings.answers[count:], [["a", "b"]])
        # They need a while to find it: 6 seconds for each broker.
        for _ in range(8):
            self.say("a", ttl=6)
            self.advance(2)
        self.assertEqual(self.findings.answers[count:], [["a", "b"]])
        for _ in range(3):
            self.say("a", ttl=6)
            self.advance(2)
        self.assertEqual(self.findings.answers[count:], [["a", "b"], ["a"]])

    def test_startWhileAway(self) -> None:
        """
        If there is no broker at first, hosts have to find it too, and the first answer waits for
        them.
        """
        self.brokers.away = {ONE}
        self.start(settle=1)
        self.advance(60)
        self.brokers.away = set()
        while not self.brokers.links:
            self.advance(0.05)
        self.advance(0.5)
        self.say("a", ttl=20)
        self.advance(5)
        self.say("b", ttl=20)
        self.assertEqual(self.findings.answers, [])
        self.advance(2)
        self.assertEqual(self.findings.answers, [["a", "b"]])

    def test_eachBroker(self) -> None:
        """
        Hosts are heard through each broker, as brokers need not know of each other.
        """
        self.start(settle=3, url=f"{ONE} {TWO}")
        self.assertEqual([link.url for link in self.brokers.links], [ONE, TWO])
        for link, name in zip(self.brokers.links, "ab", strict=True):
            self.say(name, link=link)
        self.advance(3)
        self.assertEqual(self.findings.answers, [["a", "b"]])

    def test_oneBrokerGoes(self) -> None:
        """
        If one of two brokers goes, which is logged once, hosts have their time anew to find the
        other. A broker that comes and goes all the time does not keep hosts that are gone.
        """
        with capturedLogs() as events:
            self.start(settle=3, url=f"{ONE} {TWO}")
            one, two = self.brokers.links
            self.say("a", "b", ttl=10, link=one)
            self.advance(8)
            self.brokers.away = {ONE}
            one.transport.reset()
            self.advance(8)
            self.assertEqual(self.findings.answers, [["a", "b"]])
            told = [each["log_format"] for each in events if "is away" in str(each["log_format"])]
        self.assertEqual(len(told), 1)
        self.assertEqual(self.findings.troubles, [])
        self.say("a", ttl=60, link=two)
        self.brokers.away = set()
        for _ in range(20):
            self.advance(0.5)
            last = self.brokers.link
            if last is not two:
                last.transport.reset()
        self.assertEqual(self.findings.answers, [["a", "b"], ["a"]])

    def test_allSilent(self) -> None:
        """
        If all hosts are silent while the broker is there, as one that delivers nothing is, one
        answer leaves them out together, so the group can hold it back. What comes then is
        reported together as well.
        """
        self.start(settle=3)
        for name in "abcdef":
            self.say(name, ttl=6)
            self.advance(0.3)
        self.advance(3)
        count = len(self.findings.answers)
        self.advance(20)
        self.assertEqual(self.findings.answers[count:], [[]])
        for name in "abcdef":
            self.say(name, ttl=6)
            self.advance(0.3)
        self.advance(3)
        self.assertEqual(self.findings.answers[count + 1 :], [list("abcdef")])

    def test_leave(self) -> None:
        self.start(settle=0.2)
        self.say("a", "b", sequence=1)
        self.advance(1)
        self.say("a", sequence=2, state="drain")
        self.say("a", sequence=3, ttl=0)
        self.say("a", sequence=1)
        self.advance(1)
        self.assertEqual(self.findings.answers[-1], ["b"])

    def test_wrongEntries(self) -> None:
        """
        Wrong entries don't affect the others, and are named.
        """
        self.start(settle=0.2)
        self.say("a")
        self.say("b", weight=-1)
        self.say("c", address="nowhere")
        self.brokers.link.message(b'{"hosts": [7, {"name": "d"}]}')
        self.advance(1)
        self.assertEqual(self.findings.answers[-1], ["a"])
        self.assertEqual(len(self.findings.wrong), 4)
        for sentence, name in zip(
            self.findings.wrong, ("'b'", "'c'", "an entry", "'d'"), strict=True
        ):
            self.assertIn(name, sentence)

    def test_wrongMessages(self) -> None:
        """
        A message that is no document of hosts changes nothing, and is told once.
        """
        self.start(settle=0.2)
        self.say("a")
        self.advance(1)
        count = len(self.findings.answers)
        for body in (
            b"{",
            b"\xff",
            b"7",
            b"[" * 10_000,
            b'{"hosts": 7}',
            b'{"hosts": [], "ttl": -1}',
            b'{"hosts": [], "ttl": NaN}',
            b'{"hosts": [], "ttl": "x"}',
            b'{"hosts": [], "sequence": 1.5}',
            b'{"hosts": [], "sequence": -1}',
            b'{"hosts": [], "sequence": true}',
            b" " * 100_000,
        ):
            self.brokers.link.message(body)
            self.brokers.link.message(body)
        self.advance(1)
        self.assertIn(self.findings.answers[count:], ([["a"]], [["a"]] * 2))
        self.assertGreaterEqual(len(self.findings.wrong), 9)
        for sentence in self.findings.wrong:
            self.assertIn("a message of /topic/hosts is not used", sentence)
        self.advance(62)
        self.say("b", ttl=3600)
        self.advance(1)
        self.assertEqual(self.findings.wrong, [])

    def test_flood(self) -> None:
        """
        Very many messages are read over several turns. What does not fit is passed over.
        """
        self.start(settle=0.2)
        self.patch(stompfeed, "MAX_UNREAD", 300)
        for number in range(400):
            body = json.dumps([{"name": f"h{number}", "address": "127.0.0.1:80"}])
            self.brokers.link.message(body.encode())
        self.clock.advance(0)
        feed = next(iter(self.shared.values()))
        self.assertGreater(len(feed._unread), 200)
        self.advance(2)
        self.assertEqual(len(self.findings.answers[-1]), 300)
        self.assertIn("too many came at once", self.findings.wrong[0])

    def test_floodOfBytes(self) -> None:
        self.start(settle=0.2)
        self.patch(stompfeed, "MAX_UNREAD_BYTES", 20_000)
        self.say("a", metadata={"a": "x" * 200})
        self.brokers.link.message(b" " * 16_000)
        self.brokers.link.message(b" " * 16_000)
        self.advance(1)
        self.assertEqual(self.findings.answers[-1], ["a"])
        self.assertEqual(len(self.findings.wrong), 2)

    def test_stopWhileReading(self) -> None:
        source = self.start(settle=0.2)
        self.say("a")
        source.stop()
        self.advance(5)
        self.assertEqual(self.findings.answers, [[]])

    def test_files(self) -> None:
        """
        Files are read before each connection.
        """
        path = os.path.abspath(self.mktemp())
        self.start(user="me", passwordFile=path, virtualHost="b", settle=0.2)
        self.assertIn(path, self.findings.troubles[0])
        for password in ("first", "second"):
            with open(path, "w") as file:
                file.write(f"{password}\n")
            self.advance(15)
            frame = self.brokers.link.frames[0]
            self.assertEqual((frame.get("login"), frame.get("passcode")), ("me", password))
            self.assertEqual(frame.get("host"), "b")
            self.brokers.link.send("ERROR")

    def test_wrongCertificate(self) -> None:
        path = os.path.abspath(self.mktemp())
        with open(path, "w") as file:
            file.write("none\n")
        self.start(ca=path)
        self.assertIn("of the stomp source", self.findings.troubles[0])

    def test_wrongOptions(self) -> None:
        for options in (
            {"url": ""},
            {"url": "127.0.0.1:2379"},
            {"url": "stomp://a:b@127.0.0.1:1"},
            {"destination": "a b"},
            {"heartBeat": 0.01},
            {"passwordFile": "x"},
        ):
            with self.subTest(options):
                error = self.assertRaises(TxlbError, lambda: self.make(**options))  # noqa: B023
                self.assertNotIn("a:b@", str(error))
