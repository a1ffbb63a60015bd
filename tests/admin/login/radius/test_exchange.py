"""
Tests for L{txlb.admin.login.radius._exchange}, with sockets of the loopback interface that a
test's reactor reads when it is told to.
"""

from __future__ import annotations

import errno
import socket

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.admin.fakes import clockAndDeadlines
from tests.admin.login.radius.test_packets import SECRET, answerTo
from txlb.admin.login import SourceUnavailable
from txlb.admin.login.radius._exchange import MAX_DATAGRAMS, MAX_IN_TURN, Exchange, addressesOf
from txlb.admin.login.radius._packets import Request


class ExchangeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, deadlines = clockAndDeadlines()
        self.reactor = MemoryReactorClock()
        self.server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.server.settimeout(60)
        self.server.bind(("127.0.0.1", 0))
        self.addCleanup(self.server.close)
        self.request = Request(SECRET, "anna", b"x", "txlb", "unix")
        self.exchange = Exchange(self.reactor, deadlines, self.request, 1.0, 2)
        verifyObject(IReadDescriptor, self.exchange)

    def begin(self) -> None:
        self.exchange.begin("127.0.0.1", self.server.getsockname()[1])

    def received(self) -> object:
        data, self.client = self.server.recvfrom(5000)
        self.assertEqual(data, self.request.data)
        return self.client

    def over(self) -> None:
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(self.exchange.fileno(), -1)
        self.clock.advance(100)

    def fault(self) -> str:
        self.over()
        return str(self.failureResultOf(self.exchange.answered, SourceUnavailable).value)

    def test_answer(self) -> None:
        self.begin()
        self.assertEqual(self.reactor.getReaders(), [self.exchange])
        self.received()
        for data in (b"nonsense", answerTo(self.request), answerTo(self.request)):
            self.server.sendto(data, self.client)
        self.exchange.doRead()
        self.assertEqual(self.successResultOf(self.exchange.answered).code, 2)
        self.over()
        self.exchange.doRead()

    def test_repeated(self) -> None:
        """
        Each repetition comes from the same port, and waits twice as long.
        """
        self.begin()
        first = self.received()
        for wait in (1, 2):
            self.clock.advance(wait)
            self.assertEqual(self.received(), first)
        self.clock.advance(3.9)
        self.assertNoResult(self.exchange.answered)
        self.clock.advance(0.1)
        self.assertEqual(self.fault(), "no answer")

    def test_lastReason(self) -> None:
        self.begin()
        self.received()
        self.server.sendto(answerTo(self.request, signed=False), self.client)
        self.exchange.doRead()
        for wait in (1, 2, 4):
            self.clock.advance(wait)
        self.assertIn("CVE-2024-3596", self.fault())

    def test_flood(self) -> None:
        self.begin()
        self.received()
        turns = 0
        while self.reactor.getReaders():
            for _ in range(MAX_IN_TURN):
                self.server.sendto(b"x", self.client)
            self.exchange.doRead()
            turns += 1
            self.assertLessEqual(turns, MAX_DATAGRAMS // MAX_IN_TURN + 1)
        self.assertEqual(self.fault(), "it gets forged answers")

    def test_lost(self) -> None:
        self.begin()
        self.exchange.connectionLost(Failure(ConnectionRefusedError()))
        self.assertEqual(self.fault(), "nothing listens there")

    def test_errors(self) -> None:
        """
        An error of the socket is that of the request.
        """

        class Broken:
            def __init__(self, error: OSError) -> None:
                self._error = error

            def recv(self, _size: int) -> bytes:
                raise self._error

            def send(self, _data: bytes) -> int:
                raise self._error

            def fileno(self) -> int:
                return 99

            def close(self) -> None:
                """
                There is nothing to close.
                """

        self.begin()
        assert self.exchange._socket is not None
        self.exchange._socket.close()
        self.exchange._socket = Broken(BlockingIOError())  # type: ignore[assignment]
        self.exchange.doRead()
        self.clock.advance(1)
        self.assertNoResult(self.exchange.answered)
        error = OSError(errno.EHOSTUNREACH, "no way")
        self.exchange._socket = Broken(error)  # type: ignore[assignment]
        self.exchange.doRead()
        self.assertEqual(self.fault(), "it can't be reached: no way")

    def test_cancelled(self) -> None:
        self.begin()
        self.exchange.answered.cancel()
        self.over()
        self.failureResultOf(self.exchange.answered, CancelledError)

    def test_noWay(self) -> None:
        self.assertRaises(OSError, self.exchange.begin, "::ffff:not", 1)
        self.assertEqual(self.reactor.getReaders(), [])

    def test_addresses(self) -> None:
        self.assertEqual(addressesOf("127.0.0.1", 1812), ["127.0.0.1"])
