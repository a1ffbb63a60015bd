"""
The transport in memory behaves as a real one.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txlb.testing import FlowTransport


class Plain(Protocol):
    """
    Remembers what happens to it.
    """

    def __init__(self) -> None:
        self.received = b""
        self.happened: list[str] = []
        self.reason: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        """
        Remember.
        """
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Remember.
        """
        self.happened.append("lost")
        self.reason = reason


@implementer(IHalfCloseableProtocol)
class HalfCloseable(Plain):
    """
    Knows half-close too.
    """

    def readConnectionLost(self) -> None:
        """
        Remember.
        """
        self.happened.append("read lost")

    def writeConnectionLost(self) -> None:
        """
        Remember.
        """
        self.happened.append("write lost")


class OneBite(Protocol):
    """
    Stops reading at once.
    """

    def dataReceived(self, data: bytes) -> None:
        """
        No more.
        """
        IPushProducer(self.transport).pauseProducing()


class ReadsOn(HalfCloseable):
    """
    Knows that a peer which takes nothing more may still have something to say.
    """

    def writeFailed(self) -> None:
        """
        Remember.
        """
        self.happened.append("write failed")


@implementer(IPushProducer)
class Producer:
    """
    Remembers what it is told.
    """

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        """
        Remember.
        """
        self.told.append("pause")

    def resumeProducing(self) -> None:
        """
        Remember.
        """
        self.told.append("resume")

    def stopProducing(self) -> None:
        """
        Remember.
        """
        self.told.append("stop")


class FlowTransportTests(SynchronousTestCase):
    """
    L{FlowTransport}.
    """

    def setUp(self) -> None:
        """
        A protocol that knows half-close, connected.
        """
        self.protocol = HalfCloseable()
        self.transport = FlowTransport(self.protocol, buffer=10)

    def test_interfaces(self) -> None:
        """
        It is what it says.
        """
        verifyObject(ITCPTransport, self.transport)
        verifyObject(IPushProducer, self.transport)
        self.assertIs(self.protocol.transport, self.transport)
        self.assertTrue(self.transport.getTcpNoDelay() and self.transport.getTcpKeepAlive())
        self.transport.setTcpNoDelay(False)
        self.transport.setTcpKeepAlive(False)
        self.assertNotEqual(self.transport.getPeer(), self.transport.getHost())

    def test_writtenBytesWait(self) -> None:
        """
        What is written waits until the peer takes it.
        """
        self.transport.write(b"ab")
        self.transport.writeSequence([b"c", b"d"])
        self.transport.write(b"")
        self.assertEqual(self.transport.waiting, 4)
        self.assertEqual(self.transport.take(3), b"abc")
        self.assertEqual(self.transport.take(), b"d")

    def test_producerIsPausedAndResumed(self) -> None:
        """
        A producer is paused once when too much waits, and resumed when nothing
        does.
        """
        producer = Producer()
        self.transport.registerProducer(producer, True)
        self.transport.write(b"x" * 10)
        self.assertEqual(producer.told, [])
        self.transport.write(b"x")
        self.transport.write(b"x")
        self.assertEqual(producer.told, ["pause"])
        self.transport.take(11)
        self.assertEqual(producer.told, ["pause"])
        self.transport.take()
        self.assertEqual(producer.told, ["pause", "resume"])

    def test_oneProducer(self) -> None:
        """
        There is one producer at a time, and it pushes.
        """
        self.assertRaises(ValueError, self.transport.registerProducer, Producer(), False)
        self.transport.registerProducer(Producer(), True)
        self.assertRaises(RuntimeError, self.transport.registerProducer, Producer(), True)
        self.transport.unregisterProducer()
        self.transport.registerProducer(Producer(), True)

    def test_unreadBytesWait(self) -> None:
        """
        A protocol that does not read gets nothing, and all of it later.
        """
        self.transport.pauseProducing()
        self.transport.send(b"early ")
        self.transport.send(b"late")
        self.transport.finish()
        self.assertEqual((self.protocol.received, self.protocol.happened), (b"", []))
        self.assertEqual(self.transport.unread, 10)
        self.transport.resumeProducing()
        self.assertEqual(self.protocol.received, b"early late")
        self.assertEqual(self.protocol.happened, ["read lost"])

    def test_pauseWhileReading(self) -> None:
        """
        A protocol that stops reading in the middle gets no more.
        """
        transport = FlowTransport(OneBite())
        transport.send(b"x" * 100_000)
        self.assertEqual(transport.unread, 100_000 - 65536)

    def test_halfClose(self) -> None:
        """
        The protocol's end reaches the peer after what was written before it.
        """
        self.transport.write(b"last words")
        self.transport.loseWriteConnection()
        self.assertFalse(self.transport.finished)
        self.transport.take()
        self.assertTrue(self.transport.finished)
        self.assertEqual(self.protocol.happened, ["write lost"])
        self.transport.write(b"more")
        self.assertEqual(self.transport.waiting, 0)
        self.transport.send(b"still heard")
        self.assertEqual(self.protocol.received, b"still heard")
        self.transport.loseConnection()
        self.assertTrue(self.transport.closed)

    def test_producerHoldsEndBack(self) -> None:
        """
        While a producer is registered neither end happens.
        """
        for end in ("loseWriteConnection", "loseConnection"):
            transport = FlowTransport(HalfCloseable())
            transport.registerProducer(Producer(), True)
            getattr(transport, end)()
            self.assertFalse(transport.finished or transport.closed, end)
            transport.unregisterProducer()
            self.assertTrue(transport.finished or transport.closed, end)

    def test_loseConnection(self) -> None:
        """
        It happens when all has been taken, and is told as an end in good order.
        """
        self.transport.write(b"last words")
        self.transport.stopProducing()
        self.transport.send(b"not heard")
        self.assertFalse(self.transport.closed)
        self.assertEqual(self.transport.take(), b"last words")
        self.assertTrue(self.transport.closed)
        assert self.protocol.reason is not None
        self.protocol.reason.trap(ConnectionDone)
        self.transport.loseConnection()
        self.transport.abortConnection()
        self.assertEqual((self.protocol.received, self.protocol.happened), (b"", ["lost"]))

    def test_abort(self) -> None:
        """
        It happens at once, and what waits is lost.
        """
        self.transport.write(b"unsaid")
        self.transport.abortConnection()
        self.assertTrue(self.transport.closed and self.transport.aborted)
        self.assertEqual(self.transport.take(), b"")
        assert self.protocol.reason is not None
        self.protocol.reason.trap(ConnectionAborted)
        self.transport.resumeProducing()
        self.assertFalse(self.transport.reading)

    def test_reset(self) -> None:
        """
        The peer's reset is told as a loss.
        """
        self.transport.reset()
        assert self.protocol.reason is not None
        self.protocol.reason.trap(ConnectionLost)
        self.assertFalse(self.transport.aborted)

    def test_fail(self) -> None:
        """
        A reset that shows when the protocol writes loses, for a protocol that knows no
        better, what it had not read.
        """
        self.transport.pauseProducing()
        self.transport.send(b"last words")
        self.transport.write(b"unsaid")
        self.transport.fail()
        self.transport.fail()
        self.assertEqual((self.protocol.received, self.transport.waiting), (b"", 0))
        self.assertEqual(self.protocol.happened, ["lost"])

    def test_failAndReadOn(self) -> None:
        """
        One that does reads it first. It can say nothing more.
        """
        protocol = ReadsOn()
        transport = FlowTransport(protocol)
        transport.pauseProducing()
        transport.send(b"last words")
        transport.fail()
        self.assertEqual(protocol.happened, ["write failed"])
        transport.write(b"more")
        transport.loseWriteConnection()
        self.assertEqual((transport.waiting, transport.finished), (0, False))
        transport.resumeProducing()
        self.assertEqual(protocol.received, b"last words")
        self.assertEqual(protocol.happened, ["write failed", "lost"])
        assert protocol.reason is not None
        protocol.reason.trap(ConnectionLost)

    def test_failBehindTheEnd(self) -> None:
        """
        Where the peer had finished there is nothing more to read.
        """
        protocol = ReadsOn()
        transport = FlowTransport(protocol)
        transport.finish()
        transport.fail()
        self.assertEqual(protocol.happened, ["read lost", "lost"])

    def test_withoutHalfClose(self) -> None:
        """
        A protocol that does not know half-close loses the connection when the
        peer finishes, and is not told of its own end.
        """
        plain = Plain()
        transport = FlowTransport(plain)
        transport.loseWriteConnection()
        self.assertTrue(transport.finished)
        transport.finish()
        self.assertEqual(plain.happened, ["lost"])

    def test_asADescriptor(self) -> None:
        """
        A reactor's words for both ends do the same.
        """
        self.transport.readConnectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.protocol.happened, ["read lost"])
        self.transport.writeConnectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.protocol.happened, ["read lost", "lost"])
