"""
Tests for L{txlb.discovery._etcd} and L{txlb.discovery._etcdsource} without a server;
C{integration/test_etcd.py} has one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.discovery.test_file import Findings, Waiting
from txlb.clients import Changes, EtcdClient, EtcdUnreachable, KeyValue
from txlb.deadlines import Deadlines
from txlb.discovery import SourceTools, makeSource
from txlb.discovery import _etcdsource as etcdsource
from txlb.errors import TxlbError
from txlb.interfaces import IHostSource
from txlb.model import Discovery

PREFIX = "txlb/web/main"


def key(name: str, value: bytes = b'{"address": "127.0.0.1:80"}') -> KeyValue:
    return KeyValue(f"{PREFIX}/{name}", value)


class FakeClient:
    """
    Answers as the test says.
    """

    def __init__(self) -> None:
        self.lists: list[Deferred[Any]] = []
        self.looks: list[Deferred[Any]] = []
        self.closed = False
        self.members = 0

    def list(self, prefix: str) -> Deferred[Any]:
        assert prefix == PREFIX + "/"
        self.lists.append(Deferred())
        return self.lists[-1]

    def ping(self, prefix: str, timeout: float) -> Deferred[Any]:
        assert (prefix, timeout) == (PREFIX + "/", 2.0)
        self.looks.append(Deferred())
        return self.looks[-1]

    def nextMember(self) -> None:
        self.members += 1

    def close(self) -> None:
        self.closed = True


class FakeWatch:
    """
    Tells what the test says.
    """

    def __init__(
        self,
        client: object,
        prefix: str,
        revision: int,
        changed: Callable[[Changes], object],
        ended: Callable[[str], object],
    ) -> None:
        self.revision, self.changed, self.ended = revision, changed, ended
        self.running = False
        self.member = "http://127.0.0.1:2379"

    def start(self, reactor: object) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False


class EtcdSourceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.client = FakeClient()
        self.watches: list[FakeWatch] = []
        self.patch(etcdsource, "EtcdClient", lambda *_, **__: self.client)
        self.patch(etcdsource, "EtcdWatch", self.watch)
        self.findings = Findings()
        self.shared: dict[tuple[str, object], Any] = {}

    def watch(self, *arguments: Any) -> FakeWatch:
        self.watches.append(FakeWatch(*arguments))
        return self.watches[-1]

    def make(self, **options: Any) -> IHostSource:
        deadlines = Deadlines(self.clock, self.clock.seconds)
        tools = SourceTools(("web", "main"), self.clock, deadlines, "", Waiting(), self.shared)
        given = {"url": "http://127.0.0.1:2379", "prefix": PREFIX, **options}
        return makeSource(Discovery("etcd", options=given), tools)

    def start(self, *found: KeyValue) -> IHostSource:
        source = self.make()
        self.addCleanup(source.stop)
        source.start(self.findings)
        self.client.lists[0].callback(([*found], 7))
        return source

    def advance(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05)):
            self.clock.advance(0.05)

    def test_interface(self) -> None:
        source = self.make(prefix=PREFIX + "/")
        self.assertTrue(verifyObject(IHostSource, source))
        self.assertEqual(source.origin, f"etcd:{PREFIX}")

    def test_listsAndWatches(self) -> None:
        self.start(key("a"), key("b"))
        self.assertEqual(self.findings.answers, [["a", "b"]])
        (watch,) = self.watches
        self.assertEqual((watch.revision, watch.running), (8, True))
        watch.changed(Changes(8, (key("c"),), (f"{PREFIX}/a",)))
        watch.changed(Changes(9, (key("d"),), ()))
        self.advance(0.2)
        self.assertEqual(self.findings.answers[1:], [["b", "c", "d"]])

    def test_wrongEntries(self) -> None:
        self.start(
            key("a"),
            key("b", b"["),
            key("c", b"7"),
            key("d", b"{}"),
            key("e", b'{"address": "127.0.0.1:80", "weight": -1}'),
            key("f", b" " * (etcdsource.MAX_VALUE + 1)),
            key("x/y"),
            key("g", b'{"address": "127.0.0.1:81", "name": "a"}'),
        )
        self.assertEqual(self.findings.answers, [["a", "g"]])
        self.assertEqual(len(self.findings.wrong), 6)
        for sentence, name in zip(
            self.findings.wrong, ("b", "c", "d", "e", "f", "x/y"), strict=True
        ):
            self.assertIn(f"{PREFIX}/{name}", sentence)

    def test_watchEnds(self) -> None:
        self.start(key("a"))
        self.watches[0].ended("no leader")
        self.assertEqual(self.findings.troubles, ["no leader"])
        self.assertEqual(self.client.members, 1)
        self.advance(1.0)
        self.client.lists[1].callback(([key("b")], 20))
        self.assertEqual(self.findings.answers[1:], [["b"]])
        self.assertEqual([each.running for each in self.watches], [False, True])
        self.assertEqual(self.watches[1].revision, 21)

    def test_unreachable(self) -> None:
        source = self.make()
        self.addCleanup(source.stop)
        source.start(self.findings)
        for count in range(1, 9):
            self.client.lists[-1].errback(EtcdUnreachable("no member answers"))
            self.advance(1.2)
            self.assertEqual(len(self.client.lists), count + 1)
        self.assertEqual(set(self.findings.troubles), {"no member answers"})

    def test_unexpected(self) -> None:
        source = self.make()
        self.addCleanup(source.stop)
        source.start(self.findings)
        self.client.lists[0].errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.advance(1.2)
        self.assertEqual(len(self.client.lists), 2)

    def test_looksAtMember(self) -> None:
        source = self.start(key("a"))
        self.advance(1.2)
        self.client.looks[0].callback({})
        self.advance(1.2)
        self.assertEqual(self.findings.troubles, [])
        self.client.looks[1].errback(EtcdUnreachable("it is silent"))
        self.assertEqual(self.findings.troubles, ["it is silent"])
        self.assertFalse(self.watches[0].running)
        # While it watches nothing there is nothing to look at.
        self.advance(1.2)
        self.assertEqual(len(self.client.looks), 2)
        source.stop()
        self.assertEqual(self.shared, {})

    def test_stop(self) -> None:
        source = self.start(key("a"))
        self.watches[0].changed(Changes(8, (key("c"),), ()))
        source.stop()
        self.assertTrue(self.client.closed)
        self.assertFalse(self.watches[0].running)
        self.advance(10)
        self.assertEqual(len(self.findings.answers), 1)

    def test_stopWhileListing(self) -> None:
        source = self.make()
        source.start(self.findings)
        source.stop()
        self.assertEqual((self.findings.answers, self.findings.troubles), ([], []))

    def test_files(self) -> None:
        """
        A file that can't be read is a failure, and is read again later. A client is made anew if
        the file was replaced.
        """
        path = os.path.abspath(self.mktemp())
        given: list[dict[str, Any]] = []

        def client(*_: object, **more: Any) -> FakeClient:
            given.append(more)
            return self.client

        self.patch(etcdsource, "EtcdClient", client)
        source = self.make(user="a", passwordFile=path)
        self.addCleanup(source.stop)
        source.start(self.findings)
        self.assertIn(path, self.findings.troubles[0])
        self.assertEqual(given, [])
        for count, secret in enumerate(("secret", "other"), 1):
            with open(path, "w") as file:
                file.write(f"{secret}\n")
            self.advance(1.2)
            self.client.lists[-1].errback(EtcdUnreachable("it is away"))
            self.assertEqual(len(given), count)
            self.assertEqual((given[-1]["user"], given[-1]["password"]), ("a", secret))
            self.assertIsNone(given[-1]["ca"])

    def test_wrongCertificates(self) -> None:
        path = os.path.abspath(self.mktemp())
        with open(path, "w") as file:
            file.write("none")
        self.patch(etcdsource, "EtcdClient", EtcdClient)
        for name in ("ca", "clientCertificate"):
            self.findings = Findings()
            source = self.make(**{name: path})
            source.start(self.findings)
            self.assertIn(f"{name} has no certificate", self.findings.troubles[0])
            source.stop()

    def test_wrongOptions(self) -> None:
        for options in (
            {"url": ""},
            {"url": "127.0.0.1:2379"},
            {"url": "ftp://127.0.0.1"},
            {"prefix": ""},
            {"prefix": "ä"},
            {"passwordFile": "x"},
        ):
            with self.subTest(options):
                self.assertRaises(TxlbError, lambda: self.make(**options))  # noqa: B023
