"""
Tests for L{txlb.proxy._sockettransport}, on sockets, under reactors of Twisted's own.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
import struct
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IPushProducer, IReadWriteDescriptor, ITransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.proxy.fakes import takesIPv6
from tests.proxy.reactors import KINDS, TurnedEPoll
from txlb.proxy._sockets import bytesToRead
from txlb.proxy._sockettransport import CHUNK, SocketTransport

#: More than the system holds between two sockets.
MUCH = 8 << 20


class Protocol:
    """
    Remembers what happens to it.

    @ivar happened: what it was told, in order.
    @ivar answers: bytes that it writes when it is told something.
    """

    def __init__(self) -> None:
        self.transport: Any = None
        self.received = bytearray()
        self.happened: list[str] = []
        self.reason: Failure | None = None
        self.raises: Exception | None = None

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        if self.raises is not None:
            raise self.raises

    def readConnectionLost(self) -> None:
        self.happened.append("read lost")

    def writeConnectionLost(self) -> None:
        self.happened.append("write lost")

    def writeFailed(self) -> None:
        self.happened.append("write failed")

    def connectionLost(self, reason: Failure) -> None:
        self.happened.append("lost")
        self.reason = reason


def hasSomething(sock: socket.socket) -> bool:
    """
    Whether there is something to read, or an end.
    """
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    return True


class Producer:
    """
    Remembers what it is told.
    """

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")


class TransportCase(SynchronousTestCase):
    """
    A transport, and its peer, which the test plays.
    """

    #: Of the sockets.
    family: int = socket.AF_INET

    #: The reactor.
    kind: Any = TurnedEPoll

    def setUp(self) -> None:
        self.reactor = self.kind()
        self.addCleanup(self.reactor.close)
        ours, self.peer = self.sockets()
        self.addCleanup(self.peer.close)
        self.peer.setblocking(False)
        self.protocol = Protocol()
        self.transport = SocketTransport(self.reactor, ours, self.protocol)
        self.addCleanup(self.transport.abortConnection)

    def sockets(self) -> tuple[socket.socket, socket.socket]:
        """
        @return: our end, non-blocking, and the peer's.
        """
        if self.family == socket.AF_UNIX:
            ours, peer = socket.socketpair()
        else:
            where = "::1" if self.family == socket.AF_INET6 else "127.0.0.1"
            with socket.socket(self.family) as listener:
                listener.bind((where, 0))
                listener.listen(1)
                peer = socket.create_connection(listener.getsockname()[:2], timeout=10)
                ours, _ = listener.accept()
        ours.setblocking(False)
        return ours, peer

    def until(self, condition: Any) -> None:
        """
        Turn the reactor until something is so.
        """
        self.assertTrue(self.reactor.turnUntil(condition), "it did not become so")

    def peerSends(self, data: bytes) -> None:
        """
        The peer sends bytes, which have arrived when this returns, and are not read.
        """
        sent = 0

        def arrived() -> bool:
            nonlocal sent
            with contextlib.suppress(BlockingIOError):
                sent += self.peer.send(data[sent:])
            return bytesToRead(self.transport.fileno()) == len(data)

        self.until(arrived)

    def peerEnds(self) -> None:
        """
        The peer has got all, and gets the end.
        """
        self.until(lambda: hasSomething(self.peer))
        self.assertEqual(self.peer.recv(1), b"")

    def take(self, count: int) -> bytes:
        """
        @return: so many bytes that the peer gets.
        """
        got = bytearray()

        def enough() -> bool:
            try:
                got.extend(self.peer.recv(1 << 20))
            except BlockingIOError:
                pass
            return len(got) >= count

        self.until(enough)
        return bytes(got)

    def resetPeer(self) -> None:
        """
        The peer closes, with something unread, so that its system sends a reset.
        """
        self.transport.write(b"unread")
        self.peer.close()

    def watched(self) -> bool:
        """
        Whether the reactor watches it.
        """
        return self.transport in (*self.reactor.getReaders(), *self.reactor.getWriters())

    def lost(self, reason: type[Exception]) -> None:
        """
        It is lost, for this reason, told once, and nothing is left.
        """
        self.until(lambda: "lost" in self.protocol.happened)
        self.reactor.turn(3)
        self.assertEqual(self.protocol.happened.count("lost"), 1)
        assert self.protocol.reason is not None
        self.assertTrue(self.protocol.reason.check(reason), self.protocol.reason)
        self.assertFalse(self.watched())
        self.assertEqual((self.transport.fileno(), self.transport.waiting), (-1, 0))


class TransportTests(TransportCase):
    def test_interfaces(self) -> None:
        for interface in (ITransport, IConsumer, IPushProducer, IReadWriteDescriptor):
            verifyObject(interface, self.transport)
        self.assertIn("SocketTransport", self.transport.logPrefix())
        self.assertEqual(self.transport.getHandle().family, self.family)

    def test_bothWays(self) -> None:
        """
        Bytes are sent at once, and received as they come.
        """
        self.transport.writeSequence([b"ques", b"tion"])
        self.assertEqual(self.take(8), b"question")
        self.peer.sendall(b"answer")
        self.until(lambda: self.protocol.received == b"answer")

    def test_much(self) -> None:
        """
        What the system does not take waits, and goes when it does. The producer is paused
        meanwhile, and paused again if it writes nevertheless.
        """
        producer = Producer()
        self.transport.registerProducer(producer, True)
        data = os.urandom(MUCH)
        self.transport.write(data)
        self.assertGreater(self.transport.waiting, 0)
        self.transport.write(b"more")
        self.assertEqual(producer.told, ["pause", "pause"])
        self.assertTrue(self.take(MUCH + 4) == data + b"more")
        self.assertEqual(self.transport.waiting, 0)
        self.assertEqual(producer.told, ["pause", "pause", "resume"])
        self.transport.unregisterProducer()
        self.transport.write(data)
        self.take(MUCH)
        self.assertEqual(len(producer.told), 3)

    def test_paused(self) -> None:
        """
        While it is paused nothing is read.
        """
        self.transport.pauseProducing()
        self.peer.sendall(b"early")
        self.reactor.turn(3)
        self.assertFalse(self.protocol.received)
        self.transport.resumeProducing()
        self.until(lambda: self.protocol.received == b"early")

    def test_pausedInTheSameTurn(self) -> None:
        """
        To be paused by what else happens in a turn is to be paused.
        """
        self.peer.sendall(b"early")
        self.transport.pauseProducing()
        self.transport.doRead()
        self.assertFalse(self.protocol.received)

    def test_nothingThere(self) -> None:
        """
        To be woken up for nothing is harmless.
        """
        self.assertIsNone(self.transport.doRead())
        self.transport.write(bytes(MUCH))
        self.assertIsNone(self.transport.doWrite())
        self.assertIsNone(self.transport.doWrite())
        self.assertEqual(self.protocol.happened, [])

    def test_halfClose(self) -> None:
        """
        Our end follows what was written, the peer's is told once, and after both it is
        open still.
        """
        self.transport.write(bytes(MUCH))
        self.transport.loseWriteConnection()
        self.transport.loseWriteConnection()
        self.transport.write(b"not sent")
        self.assertEqual(self.protocol.happened, [])
        self.assertEqual(len(self.take(MUCH)), MUCH)
        self.until(lambda: self.protocol.happened == ["write lost"])
        self.peerEnds()
        self.peer.sendall(b"last words")
        self.peer.shutdown(socket.SHUT_WR)
        self.until(lambda: self.protocol.happened == ["write lost", "read lost"])
        self.assertEqual(self.protocol.received, b"last words")
        self.transport.resumeProducing()
        self.assertFalse(self.watched())
        self.transport.loseConnection()
        self.lost(ConnectionDone)

    def test_halfCloseAtOnce(self) -> None:
        """
        With nothing to write our end goes at once.
        """
        self.transport.loseWriteConnection()
        self.assertEqual(self.protocol.happened, ["write lost"])
        self.peerEnds()

    def test_loseConnection(self) -> None:
        """
        It closes in order when everything was written.
        """
        self.transport.write(bytes(MUCH))
        self.transport.stopProducing()
        self.transport.loseConnection()
        self.transport.write(b"not sent")
        self.assertEqual(len(self.take(MUCH)), MUCH)
        self.lost(ConnectionDone)
        self.peerEnds()

    def test_abort(self) -> None:
        """
        It resets, and what is done afterwards does nothing.
        """
        self.transport.write(bytes(MUCH))
        self.transport.abortConnection()
        self.lost(ConnectionAborted)
        self.transport.abortConnection()
        self.transport.loseConnection()
        self.transport.loseWriteConnection()
        self.transport.write(b"not sent")
        self.transport.pauseProducing()
        self.transport.resumeProducing()
        self.transport.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.protocol.happened, ["lost"])
        if self.family != socket.AF_UNIX:
            with self.assertRaises(ConnectionResetError):
                self.take(2 * MUCH)

    def test_abortInItsTurn(self) -> None:
        """
        A protocol that aborts while it is read or written is told at the end of that.
        """

        def abort(_: bytes) -> None:
            self.transport.abortConnection()
            self.assertEqual(self.protocol.happened, [])

        self.patch(self.protocol, "dataReceived", abort)
        self.peer.sendall(b"x")
        self.lost(ConnectionAborted)

    def test_peerResets(self) -> None:
        """
        A reset that shows when it is read.
        """
        self.peer.sendall(b"last words")
        self.resetPeer()
        self.lost(ConnectionLost)
        self.assertEqual(self.protocol.received, b"last words")

    def test_writeFails(self) -> None:
        """
        A reset that shows when it is written to: what the peer had sent is read, and then
        it is lost.
        """
        self.transport.pauseProducing()
        self.peerSends(b"x" * (CHUNK + 1000))
        self.resetPeer()
        self.transport.write(b"more")
        self.transport.write(b"and more")
        self.assertEqual(self.protocol.happened, ["write failed"])
        self.transport.write(b"and more")
        self.transport.loseWriteConnection()
        self.transport.resumeProducing()
        self.lost(ConnectionLost)
        self.assertEqual(len(self.protocol.received), CHUNK + 1000)
        self.assertEqual(self.protocol.happened, ["write failed", "lost"])

    def test_writeFailsLater(self) -> None:
        """
        The same where it shows while bytes wait to be written, as the reactor tells it.
        """
        self.transport.pauseProducing()
        self.transport.write(bytes(MUCH))
        self.peer.sendall(b"answer")
        self.peer.close()
        self.until(lambda: self.protocol.happened)
        self.assertEqual((self.protocol.happened, self.transport.waiting), (["write failed"], 0))
        self.reactor.turn(3)
        self.transport.resumeProducing()
        self.lost(ConnectionLost)
        self.assertEqual(self.protocol.received, b"answer")

    def test_writeFailsWhileRead(self) -> None:
        """
        One that is read goes on being read.
        """
        self.transport.write(bytes(MUCH))
        self.peer.sendall(b"answer")
        self.peer.close()
        self.lost(ConnectionLost)
        self.assertEqual(self.protocol.received, b"answer")

    def test_failsBehindItsEnd(self) -> None:
        """
        Where the peer had finished there is nothing more to read, and it is lost at once.
        """
        self.peer.sendall(b"answer")
        self.peer.shutdown(socket.SHUT_WR)
        self.until(lambda: self.protocol.happened == ["read lost"])
        self.resetPeer()
        self.transport.write(b"more")
        self.transport.write(b"and more")
        self.lost(ConnectionLost)
        self.assertEqual(self.protocol.received, b"answer")

    def test_failsWhileItCloses(self) -> None:
        """
        One that is to close when all is written is lost when nothing can be.
        """
        self.transport.write(bytes(MUCH))
        self.transport.loseConnection()
        self.peer.close()
        self.lost(ConnectionLost)

    def test_finishFails(self) -> None:
        """
        A peer that can't be told that we have finished has failed.
        """
        self.transport.pauseProducing()
        self.peer.sendall(b"answer")
        self.patch(
            self.transport,
            "_sock",
            Unshuttable(self.transport.getHandle()),
        )
        self.transport.loseWriteConnection()
        self.assertEqual(self.protocol.happened, ["write failed"])

    def test_failedBefore(self) -> None:
        """
        A connection that was reset before there was a transport is read likewise.
        """
        ours, peer = self.sockets()
        peer.sendall(b"answer")
        ours.sendall(b"unread")
        peer.close()
        self.protocol = Protocol()
        self.transport = SocketTransport(self.reactor, ours, self.protocol, failed=True)
        self.assertEqual(self.protocol.happened, ["write failed"])
        self.lost(ConnectionLost)
        self.assertEqual(self.protocol.received, b"answer")

    def test_failedBeforeAndAborted(self) -> None:
        """
        A protocol that aborts when it is connected is not told of it afterwards.
        """
        ours, peer = self.sockets()
        self.addCleanup(peer.close)
        self.protocol = Protocol()
        self.patch(self.protocol, "makeConnection", lambda transport: transport.abortConnection())
        self.transport = SocketTransport(self.reactor, ours, self.protocol, failed=True)
        self.assertEqual(self.protocol.happened, ["lost"])

    def test_nothingIsTaken(self) -> None:
        """
        What is written to a socket that is full waits as a whole.
        """
        sock = self.transport.getHandle()
        filled = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                filled += sock.send(bytes(1 << 20))
        self.transport.write(b"last words")
        self.assertEqual(self.transport.waiting, 10)
        self.assertEqual(self.take(filled + 10)[filled:], b"last words")

    def test_handlerRaises(self) -> None:
        """
        A protocol that raises loses its connection, which is reset, and no other.
        """
        self.protocol.raises = ValueError("no")
        self.peer.sendall(b"x")
        self.lost(ConnectionAborted)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_eventOfAnother(self) -> None:
        """
        A loss that was meant for the former owner of its descriptor changes nothing.
        """
        self.transport.write(bytes(MUCH))
        self.reactor.removeReader(self.transport)
        self.reactor.removeWriter(self.transport)
        self.transport.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.protocol.happened, [])
        self.assertIn(self.transport, self.reactor.getReaders())
        self.assertIn(self.transport, self.reactor.getWriters())
        self.assertEqual(len(self.take(MUCH)), MUCH)

    def test_toldAgain(self) -> None:
        """
        One that has failed and that the reactor gives up on again is lost.
        """
        self.transport.pauseProducing()
        self.resetPeer()
        for _ in range(2):
            self.transport.write(b"more")
        self.assertEqual(self.protocol.happened, ["write failed"])
        self.transport.connectionLost(Failure(ConnectionLost()))
        self.lost(ConnectionLost)

    def test_addresses(self) -> None:
        """
        It says which addresses it is between, and can be asked when it is reset.
        """
        host, peer = self.transport.getHost(), self.transport.getPeer()
        if self.family == socket.AF_UNIX:
            self.assertEqual((host, peer), (UNIXAddress(None), UNIXAddress(None)))
            return
        kind = IPv6Address if self.family == socket.AF_INET6 else IPv4Address
        self.assertIsInstance(host, kind)
        self.assertEqual(peer.port, self.peer.getsockname()[1])
        self.transport.pauseProducing()
        self.resetPeer()
        self.assertEqual(self.transport.getPeer().port, 0)

    def test_urgent(self) -> None:
        """
        Urgent data comes in line: RFC 6093 has it so, as what middleboxes and systems make
        of the mark differs. None is lost, and none hides what follows.
        """
        if self.family == socket.AF_UNIX:
            return
        sent = b""
        for number in range(5):
            for data, flags in ((b"before", 0), (b"%d" % number, socket.MSG_OOB), (b"after", 0)):
                self.peer.send(data, flags)
                sent += data
        self.peer.shutdown(socket.SHUT_WR)
        self.until(lambda: self.protocol.happened == ["read lost"])
        self.assertEqual(bytes(self.protocol.received), sent)


class Unshuttable:
    """
    Stands for a socket that can't be shut down.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def shutdown(self, how: int) -> None:
        raise OSError(107, "Transport endpoint is not connected")


class PollTests(TransportTests):
    kind = KINDS[1]


class SelectTests(TransportTests):
    kind = KINDS[2]


class IPv6Tests(TransportTests):
    family = socket.AF_INET6
    skip = None if takesIPv6() else "this machine has no IPv6"


class UNIXTests(TransportTests):
    family = socket.AF_UNIX

    def test_descriptors(self) -> None:
        """
        Descriptors that come with bytes are closed, and the bytes arrive, those behind
        them too.
        """
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        before = len(os.listdir("/proc/self/fd"))
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [writer] * 3))
        for _ in range(3):
            self.peer.send(b"before")
            self.peer.sendmsg([b"with"], [rights])
            self.peer.send(b"after")
        os.close(writer)
        self.until(lambda: self.protocol.received == b"beforewithafter" * 3)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before - 1)
        # Nobody has the other end of the pipe any more.
        self.assertEqual(os.read(reader, 1), b"")

    def test_resetWithLinger(self) -> None:
        """
        A UNIX socket knows no reset. It closes.
        """
        self.transport.getHandle().setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.transport.abortConnection()
        self.peerEnds()
