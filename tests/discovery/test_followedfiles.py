"""
Tests for L{txlb.discovery._followedfiles}.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.proxy.fakes import logOf
from txlb.deadlines import Deadlines
from txlb.discovery import FollowedFiles
from txlb.discovery._followedfiles import POLL
from txlb.errors import ModelError


class FollowedFilesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.deadlines = Deadlines(self.clock, self.clock.seconds)
        self.addCleanup(self.deadlines.stop)
        self.answer: Deferred[Mapping[str, bytes]] | None = None
        self.there: Mapping[str, bytes] = {"ca": b"1"}
        self.changes: list[Mapping[str, bytes]] = []
        self.wrong: Exception | None = None
        self.looks = 0
        self.log = logOf(self)
        self.followed = FollowedFiles("cluster 'c'", {"ca": b"1"}, self.read, self.changed)

    def read(self) -> Awaitable[Mapping[str, bytes]]:
        self.looks += 1
        return succeed(self.there) if self.answer is None else self.answer

    def changed(self, found: Mapping[str, bytes]) -> None:
        if self.wrong is not None:
            raise self.wrong
        self.changes.append(found)

    @property
    def lines(self) -> list[str]:
        return [formatEvent(each) for each in self.log if "log_failure" not in each]

    def look(self) -> None:
        self.clock.advance(POLL)

    def test_follows(self) -> None:
        """
        Only what has changed is told.
        """
        self.followed.start(self.deadlines)
        self.look()
        self.assertEqual((self.looks, self.changes), (1, []))
        self.there = {"ca": b"2"}
        self.look()
        self.look()
        self.assertEqual((self.looks, self.changes), (3, [{"ca": b"2"}]))
        self.assertEqual(self.lines, ["renewed files of cluster 'c' are used from now on"])

    def test_unusable(self) -> None:
        """
        What can't be read or used is told once, and again after a good look.
        """
        self.followed.start(self.deadlines)
        self.there, self.wrong = {"ca": b"2"}, ModelError("ca is wrong")
        self.look()
        self.look()
        self.assertEqual(self.lines, ["ca is wrong; what was read before goes on"])
        self.answer = fail(ModelError("ca can't be read"))
        self.look()
        self.assertIn("ca can't be read; what", self.lines[1])
        self.answer = self.wrong = None
        self.look()
        self.assertEqual(self.changes, [{"ca": b"2"}])
        self.there, self.wrong = {"ca": b"3"}, ModelError("ca is wrong")
        self.look()
        self.assertEqual(len(self.lines), 4)

    def test_bug(self) -> None:
        """
        Another error is logged with its traceback, and the files are followed further.
        """
        self.followed.start(self.deadlines)
        self.there, self.wrong = {"ca": b"2"}, ZeroDivisionError()
        self.look()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.wrong = None
        self.look()
        self.assertEqual(self.changes, [{"ca": b"2"}])

    def test_stop(self) -> None:
        """
        Nothing is told after the end, also if a look is under way; it may begin anew.
        """
        self.followed.start(self.deadlines)
        self.answer = Deferred()
        self.look()
        self.followed.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.answer, self.there = None, {"ca": b"2"}
        self.followed.start(self.deadlines)
        self.followed.stop()
        self.look()
        self.assertEqual((self.looks, self.changes), (1, []))

    def test_none(self) -> None:
        """
        Without files nothing is looked at.
        """
        FollowedFiles("", {}, self.read, self.changed).start(self.deadlines)
        self.assertEqual(self.clock.getDelayedCalls(), [])
