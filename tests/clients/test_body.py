"""
Tests for L{txlb.clients._body}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone

from txlb.clients import Body, Lines, TooLong


class AbortedTransport(StringTransport):
    aborted = 0

    def abortConnection(self) -> None:
        self.aborted += 1


class Proxied:
    """
    A transport as Twisted shows one to the reader of a body.
    """

    def __init__(self, transport: AbortedTransport) -> None:
        self._producer = transport


class BodyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.transport = AbortedTransport()
        self.body = Body(10)
        self.body.makeConnection(self.transport)

    def test_whole(self) -> None:
        self.body.dataReceived(b"12345")
        self.body.dataReceived(b"67890")
        self.body.connectionLost(Failure(ResponseDone()))
        self.assertEqual(self.successResultOf(self.body.done), b"1234567890")

    def test_begins(self) -> None:
        """
        An answer begins with its data, not with its head.
        """
        told: list[int] = []
        body = Body(10, lambda: told.append(1))
        body.makeConnection(self.transport)
        self.assertEqual(told, [])
        body.dataReceived(b"1")
        self.assertEqual(told, [1])

    def test_cut(self) -> None:
        self.body.dataReceived(b"12345")
        self.body.connectionLost(Failure(ConnectionLost()))
        self.failureResultOf(self.body.done, ConnectionLost)

    def test_tooLong(self) -> None:
        self.body.dataReceived(b"12345678901")
        self.failureResultOf(self.body.done, TooLong)
        self.body.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.transport.aborted, 1)

    def test_cancelled(self) -> None:
        body = Body(10)
        body.makeConnection(Proxied(self.transport))
        body.done.cancel()
        self.failureResultOf(body.done, CancelledError)
        body.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.transport.aborted, 1)


class LinesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.transport = AbortedTransport()
        self.lines: list[bytes] = []
        self.ends: list[Failure] = []
        self.reader = Lines(10, self.lines.append, self.ends.append)
        self.reader.makeConnection(self.transport)

    def test_pieces(self) -> None:
        for piece in (b"ab", b"c\nde\n", b"", b"\n", b"f"):
            self.reader.dataReceived(piece)
        self.assertEqual(self.lines, [b"abc", b"de", b""])
        self.reader.connectionLost(Failure(ResponseDone()))
        self.assertEqual(len(self.ends), 1)

    def test_tooLong(self) -> None:
        for data in (b"12345678901", b"1\n12345678901\n2\n"):
            with self.subTest(data):
                self.setUp()
                self.reader.dataReceived(data)
                self.reader.dataReceived(b"\n3\n")
                self.reader.connectionLost(Failure(ConnectionLost()))
                self.assertEqual([each.type for each in self.ends], [TooLong])
                self.assertEqual(self.transport.aborted, 1)
                self.assertLessEqual(len(self.lines), 1)

    def test_stopped(self) -> None:
        reader = Lines(10, lambda _: reader.stop(), self.ends.append)
        reader.makeConnection(self.transport)
        reader.dataReceived(b"1\n2\n3")
        reader.connectionLost(Failure(ConnectionLost()))
        self.assertEqual((self.ends, self.transport.aborted), ([], 1))
