"""
Tests for L{txlb.proxy.PrefaceReader}.
"""

from __future__ import annotations

import socket
import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.proxy.fakes import ReactorCase
from tests.proxy.reactors import BY_NUMBER
from txlb.interfaces import IPreface
from txlb.proxy import PrefaceReader
from txlb.wire import Done, NeedMore, Reject


@implementer(IPreface)
class LinePreface:
    """
    A line, of which the text is the client's address. C{bad} is rejected,
    C{boom} breaks it.
    """

    maxBytes = 16
    timeout = 3.0

    def __init__(self) -> None:
        self.data = b""

    def feed(self, data: bytes) -> object:
        self.data += data
        line, end, rest = self.data.partition(b"\n")
        if not end:
            return NeedMore()
        if line == b"bad":
            return Reject("it is bad")
        if line == b"boom":
            raise RuntimeError("boom")
        return Done((line.decode(), 1), None, rest)

    def end(self, reason: str) -> Done | Reject:
        """
        See L{IPreface.end}.
        """
        return Reject(reason)


def nothing(address: object) -> None:
    """
    Take an address that has no consequence.
    """


class PrefaceReaderTests(ReactorCase):
    def setUp(self) -> None:
        super().setUp()
        self.ours, self.client = self.pair()
        self.verdicts: list[Done | Reject] = []
        self.reader = PrefaceReader(self.ours.fileno(), LinePreface())
        self.reader.wait(self.reactor, self.deadlines, self.verdicts.append, nothing)

    def rejected(self) -> str:
        """
        @return: the reason of the one verdict, a rejection, after which
            nothing is watched or waited for.
        """
        [verdict] = self.verdicts
        assert isinstance(verdict, Reject)
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(len(self.deadlines), 0)
        return verdict.reason

    def test_interface(self) -> None:
        """
        It is what a reactor watches, by the client's descriptor.
        """
        verifyObject(IReadDescriptor, self.reader)
        self.assertEqual(self.reader.fileno(), self.ours.fileno())
        self.assertIn("Preface", self.reader.logPrefix())

    def test_whole(self) -> None:
        """
        A preface in one piece is decided at once, and what came behind it is
        kept. The socket stays open.
        """
        self.client.sendall(b"10.0.0.1\nrest")
        self.reactor.readable()
        self.assertEqual(self.verdicts, [Done(("10.0.0.1", 1), None, b"rest")])
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(len(self.deadlines), 0)
        self.assertGreaterEqual(self.ours.fileno(), 0)

    def test_there(self) -> None:
        """
        A preface of bytes that are there already is read without a watch.
        """
        reader = PrefaceReader(self.ours.fileno(), LinePreface())
        self.assertIsNone(reader.take(b"10.0"))
        self.assertEqual(reader.take(b".0.1\nrest"), Done(("10.0.0.1", 1), None, b"rest"))
        self.assertEqual(self.reactor.getReaders(), [self.reader])
        # Nothing waits, so nothing is decided.
        reader.stop()
        reader = PrefaceReader(self.ours.fileno(), LinePreface())
        self.assertEqual(reader.take(b"x" * 17), Reject("16 bytes did not complete it"))

    def test_nothingYet(self) -> None:
        """
        To be woken up for nothing decides nothing.
        """
        self.reactor.readable()
        self.assertEqual(self.verdicts, [])
        self.assertEqual(self.reactor.getReaders(), [self.reader])

    def test_tooMuch(self) -> None:
        """
        It reads as many bytes as the preface may have and not one more: the
        rest waits in the kernel.
        """
        self.client.sendall(b"x" * 40)
        self.reactor.readable()
        self.assertEqual(self.rejected(), "16 bytes did not complete it")
        self.assertEqual(len(self.ours.recv(100)), 24)

    def test_tooMuchInPieces(self) -> None:
        """
        The bound is for all pieces together.
        """
        for _ in range(4):
            self.assertEqual(self.verdicts, [])
            self.client.sendall(b"xxxx")
            self.reactor.readable()
        self.assertEqual(self.rejected(), "16 bytes did not complete it")

    def test_tooLate(self) -> None:
        """
        The time is for all of it: a byte now and then does not stretch it.
        """
        for _ in range(3):
            self.assertEqual(self.verdicts, [])
            self.client.sendall(b"x")
            self.reactor.readable()
            self.reactor.advance(1)
        self.assertEqual(self.rejected(), "it was not complete within 3 s")

    def test_bad(self) -> None:
        """
        What the preface rejects is rejected with its reason.
        """
        self.client.sendall(b"bad\n")
        self.reactor.readable()
        self.assertEqual(self.rejected(), "it is bad")

    def test_raises(self) -> None:
        """
        A preface that raises costs its client the connection and is logged.
        """
        self.client.sendall(b"boom\n")
        self.reactor.readable()
        self.assertEqual(self.rejected(), "it could not be read")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_end(self) -> None:
        """
        A client that ends in the middle is rejected.
        """
        self.client.sendall(b"10.0")
        self.client.shutdown(socket.SHUT_WR)
        self.reactor.readable()
        self.assertEqual(self.verdicts, [])
        self.reactor.readable()
        self.assertEqual(self.rejected(), "the client sent nothing more")

    def test_reset(self) -> None:
        """
        A client that resets is rejected.
        """
        ours, client = self.tcpPair()
        verdicts: list[Done | Reject] = []
        reader = PrefaceReader(ours.fileno(), LinePreface())
        reader.wait(self.reactor, self.deadlines, verdicts.append, nothing)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        self.reactor.readable()
        [verdict] = verdicts
        assert isinstance(verdict, Reject)
        self.assertIn("the client is gone (", verdict.reason)
        self.assertNotIn("None", verdict.reason)

    def test_lost(self) -> None:
        """
        A client that is gone when the reactor gives up the descriptor is rejected, once.
        """
        self.client.close()
        for _ in range(2):
            self.reactor.removeReader(self.reader)
            self.reader.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.rejected(), "the client sent nothing more")

    def test_eventOfAnother(self) -> None:
        """
        Events that were meant for the former owner of the descriptor decide nothing, and
        the preface is read after them.
        """
        for kind in BY_NUMBER:
            reactor = kind()
            self.addCleanup(reactor.close)
            ours, client = self.pair()
            verdicts: list[Done | Reject] = []
            reader = PrefaceReader(ours.fileno(), LinePreface())
            reader.wait(reactor, self.deadlines, verdicts.append, nothing)
            reactor.tellOfFormer(reader)
            self.assertEqual(verdicts, [])
            client.sendall(b"10.0.0.1\nrest")
            self.assertTrue(reactor.turnUntil(lambda found=verdicts: bool(found)))
            self.assertEqual(verdicts, [Done(("10.0.0.1", 1), None, b"rest")])

    def test_stopped(self) -> None:
        """
        A stop decides it, and nothing that comes later decides it again.
        """
        self.reader.stop()
        self.reader.stop()
        self.reactor.advance(10)
        self.assertEqual(self.rejected(), "the balancer stops")


class SplitTests(ReactorCase):
    @given(st.lists(st.integers(1, 5), min_size=1, max_size=12))
    def test_anySplit(self, sizes: list[int]) -> None:
        """
        However a preface comes in pieces, the verdict is the same, and no byte
        that belongs to the host is lost.
        """
        ours, client = socket.socketpair()
        with ours, client:
            ours.setblocking(False)
            verdicts: list[Done | Reject] = []
            reader = PrefaceReader(ours.fileno(), LinePreface())
            reader.wait(self.reactor, self.deadlines, verdicts.append, nothing)
            message, left = b"10.0.0.1\nabcde", b""
            for size in sizes:
                if verdicts:
                    break
                piece, message = message[:size], message[size:]
                if piece:
                    client.sendall(piece)
                    self.reactor.readable()
            if not verdicts:
                client.sendall(message)
                message = b""
                self.reactor.readable()
            client.sendall(message + b"!")
            [verdict] = verdicts
            assert isinstance(verdict, Done)
            self.assertEqual(verdict.clientAddr, ("10.0.0.1", 1))
            left = verdict.leftover + ours.recv(100)
            self.assertEqual(left, b"abcde!")
