"""
Tests for L{txlb.discovery._httpsource}, L{txlb.discovery._http} and
L{txlb.discovery._polleddocument} without a server; C{integration/test_http_source.py} has one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.discovery.test_file import Findings, Waiting
from txlb.clients import Fetched, FetchError
from txlb.deadlines import Deadlines
from txlb.discovery import FoundHost, SourceTools, makeSource
from txlb.discovery import _polleddocument as polleddocument
from txlb.discovery._catalogs import entriesIn
from txlb.errors import TxlbError
from txlb.interfaces import IHostSource
from txlb.model import Discovery
from txlb.testing import HostSourceContract

URL = "http://127.0.0.1:8500/hosts.json?token=hidden"


class FakeServer:
    """
    Has a document, or none. It plays all fetchers of a test.
    """

    def __init__(self) -> None:
        self.data: bytes | None = b"[]"
        self.tagged = True
        self.late: Deferred[Fetched | None] | None = None
        self.headers: list[dict[str, str]] = []
        self.tags: list[str] = []
        self.whole = self.closed = 0

    @property
    def asked(self) -> int:
        return len(self.tags)

    def fetch(self, headers: Mapping[str, str], tag: str) -> Deferred[Fetched | None]:
        self.headers.append(dict(headers))
        self.tags.append(tag)
        if self.late is not None:
            return self.late
        if self.data is None:
            return fail(FetchError("the server is away"))
        now = f'"{hash(self.data)}"' if self.tagged else ""
        if now and tag == now:
            return succeed(None)
        self.whole += 1
        return succeed(Fetched(self.data, now))

    def close(self) -> None:
        self.closed += 1


class HTTPContractTests(HostSourceContract, SynchronousTestCase):
    def makeSource(self, clock: Clock) -> IHostSource:
        self.server = FakeServer()
        self.patch(polleddocument, "Fetcher", lambda *_, **__: self.server)
        tools = SourceTools(
            ("web", "main"), clock, Deadlines(clock, clock.seconds), "", Waiting(), {}
        )
        return makeSource(Discovery("http", options={"url": URL}), tools)

    def say(self, *hosts: FoundHost) -> None:
        self.server.data = json.dumps([each.asDict() for each in hosts]).encode()

    def fail_(self) -> None:
        self.server.data = None


class HTTPSourceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.server = FakeServer()
        self.made: list[dict[str, Any]] = []
        self.patch(polleddocument, "Fetcher", self.fetcher)
        self.shared: dict[tuple[str, object], Any] = {}
        self.findings = Findings()

    def fetcher(self, reactor: object, url: str, **settings: Any) -> FakeServer:
        self.made.append({"url": url, **settings})
        return self.server

    def make(self, group: str = "main", **options: Any) -> IHostSource:
        deadlines = Deadlines(self.clock, self.clock.seconds)
        tools = SourceTools(("web", group), self.clock, deadlines, "", Waiting(), self.shared)
        source = makeSource(Discovery("http", options={"url": URL, **options}), tools)
        self.addCleanup(source.stop)
        return source

    def start(self, **options: Any) -> IHostSource:
        source = self.make(**options)
        source.start(self.findings)
        return source

    def say(self, *names: str) -> None:
        entries = [{"name": each, "address": "127.0.0.1:80"} for each in names]
        self.server.data = json.dumps(entries).encode()

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.5)):
            self.clock.advance(0.5)

    def test_interface(self) -> None:
        source = self.make()
        self.assertTrue(verifyObject(IHostSource, source))
        self.assertEqual(source.origin, "http:http://127.0.0.1:8500/hosts.json")

    def test_onlyIfChanged(self) -> None:
        """
        A document that has not changed is not sent again, and is an answer all the same.
        """
        self.say("a")
        self.start()
        self.assertEqual(self.findings.answers, [["a"]])
        self.advance(20)
        self.assertEqual(self.server.whole, 1)
        self.assertEqual(self.findings.answers, [["a"]] * self.server.asked)
        self.say("a", "b")
        self.advance(7)
        self.assertEqual(self.findings.answers[-1], ["a", "b"])

    def test_sameBytes(self) -> None:
        """
        A server without tags sends the document each time, and it is read once.
        """
        self.server.tagged = False
        self.say("a")
        read: list[str] = []

        def reading(data: bytes, form: str, before: Any) -> Any:
            read.append(form)
            return entriesIn(data, form, before)

        self.patch(polleddocument, "entriesIn", reading)
        self.start()
        self.advance(20)
        self.assertGreater(self.server.whole, 2)
        self.assertEqual(read, ["txlb"])

    def test_failures(self) -> None:
        """
        The pauses after failures grow, and the tag is remembered.
        """
        self.say("a")
        self.start(interval=0.5)
        known, self.server.data = self.server.data, None
        before = self.server.asked
        self.advance(300)
        self.assertLess(self.server.asked - before, 20)
        self.server.data = known
        self.advance(40)
        self.assertEqual(self.server.whole, 1)
        self.assertEqual(self.findings.answers[-1], ["a"])
        self.assertEqual(set(self.findings.troubles), {"the server is away"})

    def test_noDocument(self) -> None:
        self.say("a")
        self.start()
        self.server.data = b"<html>"
        self.advance(7)
        self.assertEqual(self.findings.answers, [["a"]])
        self.assertIn(
            "127.0.0.1:8500/hosts.json: the document is no JSON", self.findings.troubles[0]
        )
        self.assertNotIn("hidden", self.findings.troubles[0])

    def test_unexpected(self) -> None:
        self.server.late = fail(ZeroDivisionError())
        self.start()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.server.late = None
        self.say("a")
        self.advance(3)
        self.assertEqual(self.findings.answers, [["a"]])

    def test_shared(self) -> None:
        """
        Groups with the same document ask for it once, and each gets its own hosts.
        """
        self.server.data = json.dumps(
            [
                {"address": "127.0.0.1:80", "group": "main"},
                {"address": "127.0.0.1:81", "group": "other"},
            ]
        ).encode()
        one = self.start()
        others = Findings()
        other = self.make("other")
        other.start(others)
        self.assertEqual(self.server.asked, 1)
        self.assertEqual(self.findings.answers, [["127.0.0.1:80"]])
        self.assertEqual(others.answers, [["127.0.0.1:81"]])
        one.stop()
        self.assertEqual(self.server.closed, 0)
        other.stop()
        self.assertEqual((self.server.closed, self.shared), (1, {}))

    def test_lateWatcher(self) -> None:
        self.server.data = None
        self.start()
        others = Findings()
        self.make("other").start(others)
        self.assertEqual(others.troubles, self.findings.troubles)

    def test_stopWhileAsking(self) -> None:
        self.server.late = Deferred()
        source = self.start()
        source.stop()
        self.advance(60)
        self.assertEqual((self.findings.answers, self.findings.troubles), ([], []))
        self.assertEqual(self.server.asked, 1)

    def test_credentials(self) -> None:
        """
        Secrets come from files, which may be replaced. One that can't be used is a failure.
        """
        path = os.path.abspath(self.mktemp())
        self.start(tokenFile=path)
        self.assertIn("tokenFile of the http source", self.findings.troubles[0])
        self.assertIn("No such file", self.findings.troubles[0])
        for secret in ("one", "two"):
            with open(path, "w") as file:
                file.write(f"{secret}\n")
            self.advance(10)
            self.assertEqual(self.server.headers[-1], {"Authorization": f"Bearer {secret}"})
        self.assertEqual(len(self.made), 2)
        self.assertNotIn("two", " ".join(self.findings.troubles))
        self.make(user="u", passwordFile=path).start(Findings())
        self.assertEqual(self.server.headers[-1], {"Authorization": "Basic dTp0d28="})

    def test_wrongCertificates(self) -> None:
        path = os.path.abspath(self.mktemp())
        with open(path, "w") as file:
            file.write("none")
        for name in ("ca", "clientCertificate"):
            self.findings = Findings()
            self.start(**{name: path})
            self.assertIn(f"{name} has no certificate", self.findings.troubles[0])

    def test_settings(self) -> None:
        self.start(timeout=2.0)
        (made,) = self.made
        self.assertEqual((made["url"], made["timeout"]), (URL, 2.0))

    def test_wrongOptions(self) -> None:
        for options in (
            {"url": ""},
            {"url": "127.0.0.1/x"},
            {"url": "ftp://127.0.0.1/x"},
            {"url": "http://user:word@127.0.0.1/"},
            {"url": "http://127.0.0.1/x#y"},
            {"url": "http://127.0.0.1:99999/"},
            {"url": "http://:80/"},
            {"url": "http://[::1/"},
            {"user": "u"},
            {"passwordFile": "x"},
            {"user": "u:v", "passwordFile": "x"},
            {"user": "u", "passwordFile": "x", "tokenFile": "y"},
            {"form": "eureka"},
            {"interval": 0.1},
        ):
            with self.subTest(options):
                self.assertRaises(TxlbError, lambda: self.make(**options))  # noqa: B023
