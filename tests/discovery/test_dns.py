"""
Tests for L{txlb.discovery._dns} and L{txlb.discovery._dnsanswer}.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.defer import TimeoutError as LateError
from twisted.internet.task import Clock
from twisted.names import dns
from twisted.names.error import (
    DNSFormatError,
    DNSNameError,
    DNSQueryRefusedError,
    DNSServerError,
)
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.discovery.test_file import Findings, Waiting
from txlb.deadlines import Deadlines
from txlb.discovery import DNSSource, FoundHost, SourceTools, makeSource
from txlb.discovery._dnsanswer import addressesOf, hostsOf, targetsOf
from txlb.errors import TxlbError
from txlb.interfaces import IHostSource
from txlb.model import Discovery
from txlb.testing import HostSourceContract

WEB = "_web._tcp.example.test"


def header(name: str, payload: Any, ttl: int = 60) -> dns.RRHeader:
    return dns.RRHeader(name.encode(), payload.TYPE, dns.IN, ttl, payload)


def srv(target: str, port: int, priority: int = 0, weight: int = 1, ttl: int = 60) -> Any:
    return header(WEB, dns.Record_SRV(priority, weight, port, target.encode(), ttl), ttl)


def four(name: str, address: str, ttl: int = 60) -> Any:
    return header(name, dns.Record_A(address, ttl), ttl)


def six(name: str, address: str, ttl: int = 60) -> Any:
    return header(name, dns.Record_AAAA(address, ttl), ttl)


def alias(name: str, target: str) -> Any:
    return header(name, dns.Record_CNAME(target.encode(), 60))


class AnswerTests(SynchronousTestCase):
    def test_targets(self) -> None:
        found = targetsOf(
            [srv("B.example.test.", 2, 1), srv("a.example.test", 1), srv("a.example.test", 1)]
        )
        self.assertEqual([(each.name, each.port) for each in found],
                         [("a.example.test", 1), ("b.example.test", 2)])  # fmt: skip

    def test_noService(self) -> None:
        self.assertEqual(targetsOf([srv("", 0)]), [])

    def test_addresses(self) -> None:
        found = addressesOf(
            [
                four("a", "10.0.0.10"),
                four("a", "10.0.0.9"),
                six("a", "::1"),
                alias("b", "c"),
                alias("c", "A"),
                alias("d", "d"),
                alias("e", "nowhere"),
            ]
        )
        addresses = ["10.0.0.9", "10.0.0.10", "::1"]
        self.assertEqual(found, {"a": addresses, "b": addresses, "c": addresses})

    def test_hosts(self) -> None:
        targets = targetsOf([srv("a", 1, 5, 0), srv("b", 2), srv("c", 3), srv("d", 0)])
        addresses = {"a": ["10.0.0.1"], "b": ["10.0.0.2", "::1"], "d": ["10.0.0.3"]}
        hosts, wrong = hostsOf(targets, addresses)
        self.assertEqual(
            hosts,
            [
                FoundHost("b:2 10.0.0.2", "10.0.0.2:2"),
                FoundHost("b:2 ::1", "[::1]:2"),
                FoundHost("a:1", "10.0.0.1:1", 1, 5),
            ],
        )
        self.assertEqual(len(wrong), 2)
        self.assertIn("c:3", wrong[0])
        self.assertIn("d:0", wrong[1])

    def test_twice(self) -> None:
        targets = targetsOf([srv("a", 1, 5), srv("a", 1, 6)])
        hosts, wrong = hostsOf(targets, {"a": ["10.0.0.1"]})
        self.assertEqual(([each.priority for each in hosts], len(wrong)), ([5], 1))


class FakeResolver:
    """
    Answers as the test says.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.service: Any = ([], [], [])
        self.addresses: dict[str, Sequence[Any]] = {}

    def lookupService(self, name: str, timeout: object) -> Deferred[Any]:
        self.asked.append(name)
        if isinstance(self.service, Exception):
            return fail(self.service)
        return self.service if isinstance(self.service, Deferred) else succeed(self.service)

    def lookupAddress(self, name: str, timeout: object) -> Deferred[Any]:
        self.asked.append(name)
        records = self.addresses.get(name)
        if records is None:
            return fail(DNSNameError(None))
        return succeed(([each for each in records if each.type != dns.AAAA], [], []))

    def lookupIPV6Address(self, name: str, timeout: object) -> Deferred[Any]:
        records = self.addresses[name]
        return succeed(([each for each in records if each.type != dns.A], [], []))


class DNSContractTests(HostSourceContract, SynchronousTestCase):
    def makeSource(self, clock: Clock) -> IHostSource:
        self.resolver = FakeResolver()
        self.patch(DNSSource, "_makeResolver", lambda _: self.resolver)
        tools = SourceTools(
            ("web", "main"), clock, Deadlines(clock, clock.seconds), "", Waiting(), {}
        )
        return makeSource(Discovery("dns", options={"name": WEB, "maxInterval": 5.0}), tools)

    def say(self, *hosts: FoundHost) -> None:
        records = [srv("127.0.0.1", 0, ttl=1) for _ in hosts]
        for record, host in zip(records, hosts, strict=True):
            record.payload.port = int(host.address.rpartition(":")[2])
        self.resolver.service = (records, [], [four("127.0.0.1", "127.0.0.1", 1)])

    def fail_(self) -> None:
        self.resolver.service = DNSServerError(None)


class DNSTests(SynchronousTestCase):
    OPTIONS: ClassVar[dict[str, Any]] = {"name": WEB}

    def setUp(self) -> None:
        self.clock = Clock()
        self.resolver = FakeResolver()
        self.patch(DNSSource, "_makeResolver", lambda _: self.resolver)
        self.findings = Findings()

    def make(self, **options: Any) -> IHostSource:
        deadlines = Deadlines(self.clock, self.clock.seconds)
        tools = SourceTools(("web", "main"), self.clock, deadlines, "", Waiting(), {})
        return makeSource(Discovery("dns", options=options), tools)

    def start(self, **options: Any) -> IHostSource:
        source = self.make(**(options or self.OPTIONS))
        self.addCleanup(source.stop)
        source.start(self.findings)
        return source

    def until(self, condition: Callable[[], bool], most: float) -> None:
        """
        Let time pass until something is so, C{most} seconds at most.
        """
        end = self.clock.seconds() + most
        while not condition() and self.clock.seconds() < end:
            self.clock.advance(0.05)
        self.assertTrue(condition())

    def test_interface(self) -> None:
        source = self.make(name=WEB + ".")
        self.assertTrue(verifyObject(IHostSource, source))
        self.assertEqual(source.origin, f"dns:{WEB}")

    def test_additional(self) -> None:
        self.resolver.service = ([srv("a", 7, ttl=10)], [], [four("a", "10.0.0.1", 3)])
        self.start()
        self.assertEqual(self.findings.answers, [["a:7"]])
        self.assertEqual(self.resolver.asked, [WEB])

    def test_asksForAddresses(self) -> None:
        self.resolver.service = (
            [srv("a", 7), srv("b", 7), srv("c", 7)],
            [],
            [four("a", "10.0.0.1")],
        )
        self.resolver.addresses = {"b": [six("b", "::1")]}
        self.start()
        self.assertEqual(self.findings.answers, [["a:7", "b:7"]])
        self.assertEqual(len(self.findings.wrong), 1)

    def test_lifetime(self) -> None:
        self.resolver.service = ([srv("a", 7, ttl=10)], [], [four("a", "10.0.0.1", 10)])
        self.start()
        self.clock.advance(7.9)
        self.assertEqual(len(self.findings.answers), 1)
        self.until(lambda: len(self.findings.answers) == 2, 5.0)

    def test_lifetimeBounds(self) -> None:
        for ttl, least, most in ((0, 4.0, 7.0), (86400, 4.0, 7.0)):
            self.findings = Findings()
            self.resolver.service = ([srv("a", 7, ttl=ttl)], [], [four("a", "10.0.0.1", ttl)])
            source = self.start(name=WEB, minInterval=5.0, maxInterval=5.5)
            began = self.clock.seconds()
            self.until(lambda: len(self.findings.answers) == 2, 10.0)
            self.assertTrue(least <= self.clock.seconds() - began <= most)
            source.stop()

    def test_noRecords(self) -> None:
        soa = header("example.test", dns.Record_SOA(minimum=8, ttl=60))
        self.resolver.service = ([], [soa], [])
        self.start()
        self.assertEqual((self.findings.answers, self.findings.troubles), ([[]], []))
        began = self.clock.seconds()
        self.until(lambda: len(self.findings.answers) == 2, 20.0)
        self.assertGreater(self.clock.seconds() - began, 6.0)

    def test_failures(self) -> None:
        for error, word in (
            (DNSNameError(None), "no name"),
            (DNSQueryRefusedError(None), "refuses"),
            (DNSServerError(None), "failed"),
            (DNSFormatError(None), "DNSFormatError"),
            (LateError(), "in time"),
            (OSError(101, "Network is unreachable"), "unreachable"),
        ):
            with self.subTest(word):
                self.findings = Findings()
                self.resolver.service = error
                source = self.start()
                self.assertEqual(self.findings.answers, [])
                self.assertIn(word, self.findings.troubles[0])
                source.stop()

    def test_triesAgain(self) -> None:
        self.resolver.service = LateError()
        self.start()
        times = [self.clock.seconds()]
        for count in range(2, 10):
            self.until(lambda: len(self.findings.troubles) == count, 60.0)  # noqa: B023
            times.append(self.clock.seconds())
        pauses = [after - before for before, after in itertools.pairwise(times)]
        self.assertTrue(0.7 <= pauses[0] <= 1.3)
        self.assertTrue(all(20 <= each <= 40 for each in pauses[-2:]))
        self.resolver.service = ([srv("a", 7)], [], [four("a", "10.0.0.1")])
        self.until(lambda: bool(self.findings.answers), 60.0)

    def test_unexpected(self) -> None:
        self.resolver.service = ZeroDivisionError()
        self.start()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.resolver.service = ([], [], [])
        self.until(lambda: bool(self.findings.answers), 60.0)

    def test_stoppedWhileAsking(self) -> None:
        late: Deferred[Any] = Deferred()
        self.resolver.service = late
        source = self.start()
        source.stop()
        late.callback(([], [], []))
        self.assertEqual(self.findings.answers, [])
        self.clock.advance(600)
        self.assertEqual(len(self.resolver.asked), 1)

    def test_addresses(self) -> None:
        self.resolver.addresses = {
            "web.test": [four("web.test", "10.0.0.1"), six("web.test", "::1")]
        }
        self.start(name="web.test", port=80)
        self.assertEqual(self.findings.answers, [["10.0.0.1:80", "[::1]:80"]])

    def test_noAddressName(self) -> None:
        self.start(name="web.test", port=80)
        self.assertEqual(self.findings.answers, [])
        self.assertIn("no name web.test", self.findings.troubles[0])

    def test_wrongOptions(self) -> None:
        for options in (
            {"name": WEB, "port": 80},
            {"name": "web.test"},
            {"name": "web test", "port": 80},
            {"name": WEB, "minInterval": 10.0, "maxInterval": 5.0},
            {"name": WEB, "server": "ns.example.test:53"},
            {"name": WEB, "server": "127.0.0.1"},
        ):
            with self.subTest(options):
                self.assertRaises(TxlbError, lambda: self.make(**options))  # noqa: B023
