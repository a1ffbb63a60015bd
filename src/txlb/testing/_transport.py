"""
A transport in memory with flow control and half-close.

Twisted's own fakes accept every byte at once and have no half-close, so code that must
wait, or that must pass on an end, passes its tests without doing either. This one
behaves as a TCP transport of Twisted does, including the trap that a registered
producer keeps the transport from closing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IHalfCloseableDescriptor,
    IHalfCloseableProtocol,
    IProtocol,
    IPushProducer,
    ITCPTransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

#: Bytes that may wait to be written before the producer is paused, as in
#: Twisted.
BUFFER = 65536


@implementer(ITCPTransport, IPushProducer, IHalfCloseableDescriptor)
class FlowTransport:
    """
    One end of a connection, with a test in place of the peer.

    The protocol under test has this as its transport. The test plays the peer: it
    L{send}s bytes, L{finish}es, L{reset}s, and L{take}s the bytes that the protocol has
    written. No written byte leaves before it is taken.

    @param protocol: is connected at once.
    @param buffer: bytes that may wait to be taken before the producer is paused.
    @param host: the protocol's own address; by default one reserved for documentation.
    @param peer: the peer's address, likewise.

    @ivar reading: whether the protocol reads.
    @ivar finished: whether the peer has seen the end of the protocol's bytes.
    @ivar closed: whether the connection is closed for both.
    @ivar aborted: whether the protocol's side has reset it.
    """

    def __init__(
        self,
        protocol: IProtocol,
        buffer: int = BUFFER,
        *,
        host: IPv4Address | IPv6Address | None = None,
        peer: IPv4Address | IPv6Address | None = None,
    ) -> None:
        self._host = IPv4Address("TCP", "192.0.2.2", 80) if host is None else host
        self._peer = IPv4Address("TCP", "192.0.2.1", 50000) if peer is None else peer
        self.reading = True
        self.finished = False
        self.closed = False
        self.aborted = False
        self.disconnecting = False
        self._failed = self._ended = False
        self.producer: IPushProducer | None = None
        self._protocol: Any = protocol
        self._limit = buffer
        self._paused = False
        self._finishing = False
        self._peerFinished = False
        self._outgoing = bytearray()
        self._incoming = bytearray()
        protocol.makeConnection(self)

    # The peer's side, for the test

    def send(self, data: bytes) -> None:
        """
        Send bytes as the peer. They wait while the protocol does not read.
        """
        self._incoming += data
        self._feed()

    def finish(self) -> None:
        """
        Finish sending as the peer. The protocol is told when it has read the bytes
        before.
        """
        self._peerFinished = True
        self._feed()

    def reset(self) -> None:
        """
        Reset the connection as the peer. Bytes that wait in either direction are lost.
        """
        self._outgoing.clear()
        self._lose(ConnectionLost())

    def fail(self) -> None:
        """
        Reset the connection as the peer, so that it shows when the protocol writes,
        while there may be bytes to read. Bytes that wait to be taken are lost. If the
        protocol has C{writeFailed}, that is called, and it reads the bytes that the
        peer had sent before its C{connectionLost} is called. For any other protocol all
        bytes are lost at once, as with Twisted's own transports.
        """
        if self.closed or self._failed:
            return
        self._failed = True
        self._outgoing.clear()
        tell = getattr(self._protocol, "writeFailed", None)
        if tell is None or self._ended:
            self._lose(ConnectionLost())
        else:
            tell()
            self._feedEnd()

    @property
    def ended(self) -> bool:
        """
        Whether the peer has finished sending.
        """
        return self._peerFinished

    @property
    def waiting(self) -> int:
        """
        The number of bytes that were written and not taken.
        """
        return len(self._outgoing)

    @property
    def unread(self) -> int:
        """
        The number of bytes that the peer has sent and the protocol has not read.
        """
        return len(self._incoming)

    def take(self, most: int | None = None) -> bytes:
        """
        Read as the peer.

        @param most: the most bytes to read; L{None} for all that wait.
        """
        data = bytes(self._outgoing[:most])
        del self._outgoing[: len(data)]
        if not self._outgoing and not self.closed:
            self._emptied()
        return data

    def _emptied(self) -> None:
        """
        Continue when everything that was written has been taken.
        """
        if self.producer is not None and self._paused:
            self._paused = False
            self.producer.resumeProducing()
        elif self.producer is None and self.disconnecting:
            self._lose(ConnectionDone())
        elif self.producer is None and self._finishing and not self.finished:
            self.finished = True
            if IHalfCloseableProtocol.providedBy(self._protocol):
                self._protocol.writeConnectionLost()

    def _feed(self) -> None:
        while self.reading and not self.closed and self._incoming:
            data = bytes(self._incoming[:BUFFER])
            del self._incoming[: len(data)]
            self._protocol.dataReceived(data)
        self._feedEnd()

    def _feedEnd(self) -> None:
        if self._failed:
            # The system reports a reset once; after that it looks like an end.
            if self.reading and not self._incoming:
                self._lose(ConnectionLost())
        elif self.reading and not self.closed and self._peerFinished and not self._incoming:
            self.reading = False
            self._ended = True
            if IHalfCloseableProtocol.providedBy(self._protocol):
                self._protocol.readConnectionLost()
            else:
                self._lose(ConnectionDone())

    def _lose(self, reason: Exception) -> None:
        if not self.closed:
            self.closed = True
            self.reading = False
            self._protocol.connectionLost(Failure(reason))

    # The protocol's side

    def write(self, data: bytes) -> None:
        if self.closed or self.finished or self._failed or not data:
            return
        self._outgoing += data
        if self.producer is not None and len(self._outgoing) > self._limit and not self._paused:
            self._paused = True
            self.producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def registerProducer(self, producer: IPushProducer, streaming: bool) -> None:
        """
        Register a push producer; a pull producer is refused.
        """
        if self.producer is not None:
            raise RuntimeError(f"{self.producer!r} is registered already")
        if not streaming:
            raise ValueError("a transport with flow control wants a push producer")
        self.producer = producer
        self._paused = False

    def unregisterProducer(self) -> None:
        """
        Forget the producer.
        """
        self.producer = None
        if not self._outgoing and not self.closed:
            self._emptied()

    def loseWriteConnection(self) -> None:
        if self._failed:
            return
        self._finishing = True
        if not self._outgoing and not self.closed:
            self._emptied()

    def loseConnection(self) -> None:
        """
        Close the connection when all bytes were taken and no producer is registered.
        """
        if self.closed:
            return
        self.disconnecting = True
        self.reading = False
        if self.finished or (not self._outgoing and self.producer is None):
            self._lose(ConnectionDone())

    def abortConnection(self) -> None:
        if not self.closed:
            self.aborted = True
            self._outgoing.clear()
            self._lose(ConnectionAborted())

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        if not self.closed and not self.disconnecting:
            self.reading = True
            self._feed()

    def stopProducing(self) -> None:
        self.loseConnection()

    def readConnectionLost(self, reason: Failure) -> None:
        self.finish()

    def writeConnectionLost(self, reason: Failure) -> None:
        self.reset()

    def getPeer(self) -> IPv4Address | IPv6Address:
        return self._peer

    def getHost(self) -> IPv4Address | IPv6Address:
        return self._host

    def getTcpNoDelay(self) -> bool:
        return True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """
        Do nothing: there is nothing to delay.
        """

    def getTcpKeepAlive(self) -> bool:
        return True

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """
        Do nothing: there is nothing to keep alive.
        """
