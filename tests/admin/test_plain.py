"""
Tests for L{txlb.admin._plain}.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.admin.fakes import FakeOutput, clockAndDeadlines
from txlb.admin._console import MAX_LINE
from txlb.admin._plain import DEFERRED_WAIT, PlainSession


class PlainTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.output = FakeOutput()
        self.deferred: Deferred[object] = Deferred()
        self.logged: list[str] = []
        self.clock, deadlines = clockAndDeadlines()
        self.session = PlainSession(self.output, self.names, deadlines, self.logged.append)

    def names(self, show: Callable[[str], None]) -> Mapping[str, object]:
        return {"deferred": self.deferred, "show": show}


class PlainTests(PlainTestCase):
    def test_lines(self) -> None:
        self.session.dataReceived(b"1 + 1\nx = 5\nprint('a', end='')\n\nx\n")
        self.assertEqual(self.output.written, b"2\na\n5\n")
        self.assertEqual(self.logged, ["1 + 1", "x = 5", "print('a', end='')", "x"])
        self.assertEqual(self.output.statuses, [])
        self.session.eofReceived()
        self.assertEqual(self.output.statuses, [0])

    @given(st.lists(st.integers(0, 60)))
    def test_anyChunks(self, cuts: list[int]) -> None:
        output = FakeOutput()
        text = b"x = 'abc'\r\nif x:\r\n  x * 2\r\n\r\nx + '\xc3\xa9'\r\nlen(x)"
        session = PlainSession(output, self.names, clockAndDeadlines()[1], self.logged.append)
        edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
        for start, end in itertools.pairwise(edges):
            session.dataReceived(text[start:end])
        session.eofReceived()
        self.assertEqual(output.written, "'abcabc'\n'abcé'\n3\n".encode())
        self.assertEqual((output.errors, output.statuses), (b"", [0]))

    def test_lastLineWithoutItsEnd(self) -> None:
        self.session.dataReceived(b"1\n2")
        self.session.eofReceived()
        self.session.eofReceived()
        self.assertEqual((self.output.written, self.output.statuses), (b"1\n2\n", [0]))

    def test_stopsAtTheFirstError(self) -> None:
        self.session.dataReceived(b"1\n1/0\n2\n")
        self.assertEqual((self.output.written, self.output.statuses), (b"1\n", [1]))
        self.assertIn(b"ZeroDivisionError", self.output.errors)
        self.assertEqual(self.logged, ["1", "1/0"])
        self.session.eofReceived()
        self.assertEqual(self.output.statuses, [1])

    def test_blockAtTheEnd(self) -> None:
        self.session.dataReceived(b"for i in 1, 2:\n  print(i)")
        self.session.eofReceived()
        self.assertEqual((self.output.written, self.output.statuses), (b"1\n2\n", [0]))

    def test_incomplete(self) -> None:
        self.session.dataReceived(b"x = (1,\n")
        self.session.eofReceived()
        self.assertEqual(self.output.errors, b"the input ends within a statement\n")
        self.assertEqual(self.output.statuses, [1])

    def test_exit(self) -> None:
        self.session.dataReceived(b"raise SystemExit(3)\n1\n")
        self.assertEqual((self.output.written, self.output.statuses), (b"", [3]))

    def test_endlessLine(self) -> None:
        self.session.dataReceived(b"x" * MAX_LINE)
        self.assertEqual(self.output.statuses, [])
        self.session.dataReceived(b"x")
        self.assertIn(b"at most 4096 bytes", self.output.errors)
        self.assertEqual(self.output.statuses, [1])

    def test_show(self) -> None:
        self.session.dataReceived(b"show('a\\n')\nshow('')\n")
        self.assertEqual(self.output.written, b"a\n")

    def test_whatCannotBeEncoded(self) -> None:
        self.session.dataReceived(b"show('\\ud800\\n')\n")
        self.assertEqual(self.output.written, b"\\ud800\n")

    def test_newlines(self) -> None:
        deadlines = clockAndDeadlines()[1]
        session = PlainSession(self.output, self.names, deadlines, self.logged.append, b"\r\n")
        session.dataReceived(b"1\n1/0\n")
        self.assertEqual(self.output.written, b"1\r\n")
        self.assertEqual(self.output.errors.count(b"\n"), self.output.errors.count(b"\r\n"))

    def test_resized(self) -> None:
        self.session.resized(100, 30)
        self.assertEqual(self.output.written, b"")


class PendingTests(PlainTestCase):
    """
    Deferreds that have not fired when the input ends.
    """

    def setUp(self) -> None:
        super().setUp()
        self.session.dataReceived(b"deferred\n")

    def test_calledBack(self) -> None:
        self.session.eofReceived()
        self.assertEqual(self.output.statuses, [])
        self.deferred.callback(1)
        self.assertEqual(self.output.written, b"<Deferred #0>\nDeferred #0 called back: 1\n")
        self.assertEqual(self.output.statuses, [0])
        self.clock.advance(DEFERRED_WAIT + 1)
        self.assertEqual(self.output.statuses, [0])

    def test_failed(self) -> None:
        self.session.eofReceived()
        self.deferred.errback(ValueError("bad"))
        self.assertIn(b"failed: ValueError: bad", self.output.written)
        self.assertEqual(self.output.statuses, [1])

    def test_failedBeforeTheNextLine(self) -> None:
        self.deferred.errback(ValueError("bad"))
        self.assertEqual(self.output.statuses, [])
        self.session.dataReceived(b"1\n")
        self.assertEqual(self.output.statuses, [1])
        self.assertEqual(self.logged, ["deferred"])

    def test_failedBeforeTheEnd(self) -> None:
        self.deferred.errback(ValueError("bad"))
        self.session.eofReceived()
        self.assertEqual(self.output.statuses, [1])

    def test_never(self) -> None:
        self.session.eofReceived()
        self.clock.pump([1.0] * int(DEFERRED_WAIT + 1))
        self.assertEqual(self.output.errors, b"1 pending after 60 s; this session ends\n")
        self.assertEqual(self.output.statuses, [1])
        self.deferred.callback(None)
        self.assertEqual(self.output.statuses, [1])

    def test_clientGoes(self) -> None:
        self.session.eofReceived()
        self.session.closed()
        self.deferred.callback(None)
        self.clock.pump([1.0] * int(DEFERRED_WAIT + 1))
        self.assertEqual(self.output.statuses, [])
        self.assertEqual(self.output.written, b"<Deferred #0>\n")
        self.session.addError("nobody reads this")
        self.assertEqual(self.output.errors, b"")

    def test_stopping(self) -> None:
        self.session.stopping()
        self.assertEqual(self.output.errors, b"the balancer ends this session\n")
        self.assertEqual(self.output.statuses, [1])
