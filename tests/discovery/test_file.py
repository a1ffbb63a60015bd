"""
Tests for L{txlb.discovery._file} and L{txlb.discovery._watchedfile}.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txlb.deadlines import Deadlines
from txlb.discovery import FoundHost, SourceTools, makeSource
from txlb.interfaces import IFindings, IHostSource
from txlb.model import Discovery
from txlb.testing import HostSourceContract

Result = TypeVar("Result")


@implementer(IFindings)
class Findings:
    """
    Notes what is found.
    """

    def __init__(self) -> None:
        self.answers: list[list[str]] = []
        self.wrong: Sequence[str] = ()
        self.troubles: list[str] = []

    def found(self, hosts: Sequence[FoundHost], wrong: Sequence[str] = ()) -> None:
        self.answers.append([each.name for each in hosts])
        self.wrong = wrong

    def failed(self, reason: str) -> None:
        self.troubles.append(reason)


class Waiting:
    """
    Does the work of a thread when the test says so.
    """

    def __init__(self) -> None:
        self.before: Callable[[], object] = lambda: None
        self.late: Deferred[None] | None = None

    async def inThread(self, function: Callable[..., Result], *arguments: Any) -> Result:
        if self.late is not None:
            await self.late
        result = function(*arguments)
        self.before()
        return result

    async def aside(self, function: Callable[..., Result], *arguments: Any) -> Result:
        return function(*arguments)

    async def run(self, steps: Iterable[object]) -> None:
        for _ in steps:
            pass


class FileContractTests(HostSourceContract, SynchronousTestCase):
    def makeSource(self, clock: Clock) -> IHostSource:
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        tools = SourceTools(
            ("web", "main"), clock, Deadlines(clock, clock.seconds), self.folder, Waiting(), {}
        )
        return makeSource(Discovery("file", options={"path": "hosts"}), tools)

    def say(self, *hosts: FoundHost) -> None:
        path = os.path.join(self.folder, "hosts")
        with open(path + ".new", "w") as file:
            json.dump([each.asDict() for each in hosts], file)
        os.replace(path + ".new", path)

    def fail_(self) -> None:
        """
        There is no file.
        """


class FileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.path = os.path.join(self.folder, "hosts")
        self.worker = Waiting()
        self.shared: dict[tuple[str, object], Any] = {}

    def source(self, group: str = "main") -> IHostSource:
        deadlines = Deadlines(self.clock, self.clock.seconds)
        tools = SourceTools(
            ("web", group), self.clock, deadlines, self.folder, self.worker, self.shared
        )
        source = makeSource(Discovery("file", options={"path": "hosts"}), tools)
        self.addCleanup(source.stop)
        return source

    def write(self, text: str) -> None:
        beside = self.path + ".new"
        with open(beside, "w") as file:
            file.write(text)
        os.replace(beside, self.path)

    def looks(self, count: int = 2) -> None:
        for _ in range(count):
            self.clock.advance(0.5)

    def test_interface(self) -> None:
        source = self.source()
        self.assertTrue(verifyObject(IHostSource, source))
        self.assertEqual(source.origin, "file:hosts")

    def test_atOnceAndAgain(self) -> None:
        self.write("127.0.0.1:80\n")
        findings = Findings()
        self.source().start(findings)
        self.assertEqual(findings.answers, [["127.0.0.1:80"]])
        self.looks(5)
        self.assertEqual(len(findings.answers), 1)
        self.write('[{"name": "b", "address": "127.0.0.1:81"}]')
        self.looks(3)
        self.assertEqual(findings.answers[1:], [["b"]])
        self.assertEqual(findings.troubles, [])

    def test_missing(self) -> None:
        findings = Findings()
        self.source().start(findings)
        self.assertIn(self.path, findings.troubles[0])
        self.write("")
        self.looks(3)
        self.assertEqual(findings.answers, [[]])

    def test_wrongDocument(self) -> None:
        self.write("[")
        findings = Findings()
        self.source().start(findings)
        self.assertEqual(findings.answers, [])
        self.assertIn("JSON", findings.troubles[0])
        self.looks(4)
        self.assertEqual(len(findings.troubles), 1)
        self.write("[]")
        self.looks(3)
        self.assertEqual(findings.answers, [[]])

    def test_noFile(self) -> None:
        os.mkfifo(self.path)
        findings = Findings()
        self.source().start(findings)
        self.assertEqual(findings.answers, [[]])
        os.unlink(self.path)
        os.mkdir(self.path)
        self.looks(3)
        self.assertEqual(len(findings.troubles), 1)

    def test_beingWritten(self) -> None:
        self.write("127.0.0.1:80\n")
        findings = Findings()
        self.source().start(findings)
        with open(self.path, "w") as file:
            for port in range(5):
                file.write(f"127.0.0.1:{port + 1}\n")
                file.flush()
                self.looks(1)
        self.assertEqual(len(findings.answers), 1)
        self.looks(3)
        self.assertEqual(len(findings.answers[-1]), 5)
        self.assertEqual(len(findings.answers), 2)

    def test_changedWhileRead(self) -> None:
        self.write("127.0.0.1:80\n")
        findings = Findings()
        self.worker.before = lambda: self.write("127.0.0.1:81\n")
        self.source().start(findings)
        self.assertEqual(findings.answers, [])
        self.worker.before = lambda: None
        self.looks(3)
        self.assertEqual(findings.answers, [["127.0.0.1:81"]])

    def test_groupsShareIt(self) -> None:
        document = [
            {"name": "a", "group": "main", "address": "127.0.0.1:80"},
            {"name": "b", "group": "other", "address": "127.0.0.1:81"},
        ]
        self.write(json.dumps(document))
        findings, more = Findings(), Findings()
        first, second = self.source(), self.source("other")
        first.start(findings)
        second.start(more)
        self.assertEqual((findings.answers, more.answers), ([["a"]], [["b"]]))
        self.assertEqual(len(self.shared), 1)
        self.write("[")
        self.looks(3)
        self.assertEqual((len(findings.troubles), len(more.troubles)), (1, 1))
        third, late = self.source(), Findings()
        third.start(late)
        self.assertEqual((late.answers, len(late.troubles)), ([], 1))
        for source in (first, second, third):
            source.stop()
        self.assertEqual(self.shared, {})
        looked = len(findings.troubles)
        self.looks(3)
        self.assertEqual(len(findings.troubles), looked)

    def test_stoppedWhileRead(self) -> None:
        self.write("127.0.0.1:80\n")
        findings, source = Findings(), self.source()
        self.worker.late = Deferred()
        source.start(findings)
        source.stop()
        self.assertEqual(findings.answers, [])
        self.assertEqual(self.flushLoggedErrors(), [])
