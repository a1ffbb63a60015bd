"""
The transport of the portable relay.

Twisted's own transport closes its socket as soon as a write fails, or the reactor says that
the peer has gone. Then the bytes that the peer had sent before are lost. TCP keeps them for
the reader, and a host that refuses an upload relies on that (RFC 9112, section 9.6). So this
transport's reading and writing fail separately: a socket that can't be written to is read to
the end.

It differs in two more ways. It sends bytes at once if the system takes them, which saves a
turn of the reactor and a system call. Urgent data arrives in line, so that it neither is lost
nor hides the bytes that follow. The system closes descriptors that come with the bytes of a
UNIX socket, because this transport does not receive them.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from typing import Any

from twisted.internet import error
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import (
    IConsumer,
    IPushProducer,
    IReadWriteDescriptor,
    ITransport,
)
from twisted.internet.main import CONNECTION_LOST
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.proxy._receiver import Receiver

#: Bytes that are read at once, as Twisted's transports do (C{FileDescriptor.bufferSize}).
CHUNK = 65536

#: The value of C{SO_LINGER} with which close(2) sends a reset: on, and zero seconds.
RESET = struct.pack("ii", 1, 0)

_done = Failure(error.ConnectionDone())
_lost = Failure(error.ConnectionLost())
_aborted = Failure(error.ConnectionAborted())


@implementer(ITransport, IConsumer, IPushProducer, IReadWriteDescriptor)
class SocketTransport:
    """
    A transport on a connected stream socket, TCP or UNIX. Owned by the protocol that it
    serves. It works under every reactor that watches descriptors.

    @param reactor: watches the socket.
    @param sock: the socket, non-blocking, which belongs to the transport from here.
    @param protocol: is connected at once, and gets the events.
    @param failed: whether the peer has reset the connection already.
    """

    def __init__(
        self, reactor: Any, sock: socket.socket, protocol: Receiver, failed: bool = False
    ) -> None:
        self._reactor = reactor
        self._sock = sock
        self._protocol = protocol
        self._unsent = bytearray()
        self._producer: Any = None
        self._producerPaused = False
        self._reading = True
        # Whether the peer has sent all; whether it takes nothing more.
        self._ended = self._failed = False
        # Whether the protocol has asked to send no more; to close.
        self._finishing = self._losing = False
        # Whether the reactor is in one of its methods; whether to close after that.
        self._inTurn = self._leaving = self._closed = False
        self._reason = _done
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        protocol.makeConnection(self)
        if failed:
            self._fail()
        if self._reading:
            self.resumeProducing()

    # Writing

    @property
    def waiting(self) -> int:
        """
        Bytes that the system has not taken yet.
        """
        return len(self._unsent)

    def write(self, data: bytes) -> None:
        if self._failed or self._finishing or self._losing or self._leaving or self._closed:
            return
        if not self._unsent:
            try:
                sent = self._sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._fail()
                return
            if sent == len(data):
                return
            data = data[sent:]
            self._reactor.addWriter(self)
        self._unsent += data
        if self._producer is not None:
            # Each time: the producer may have gone on before all bytes were taken.
            self._producerPaused = True
            self._producer.pauseProducing()

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def doWrite(self) -> Any:
        self._inTurn = True
        try:
            self._flush()
        finally:
            self._inTurn = False
        return CONNECTION_LOST if self._leaving else None

    def _flush(self) -> None:
        try:
            sent = self._sock.send(self._unsent)
        except BlockingIOError:
            return
        except OSError:
            self._fail()
            return
        del self._unsent[:sent]
        if self._unsent:
            return
        self._reactor.removeWriter(self)
        if self._losing:
            self._leave(_done)
            return
        if self._finishing:
            self._finish()
        if self._producer is not None and self._producerPaused:
            self._producerPaused = False
            self._producer.resumeProducing()

    def _fail(self) -> None:
        """
        Take note that the peer takes nothing more.
        """
        if self._leaving or self._closed:
            return
        self._failed = True
        self._unsent.clear()
        self._reactor.removeWriter(self)
        self._reason = _lost
        if self._losing or self._ended:
            self._leave(_lost)
        else:
            self._protocol.writeFailed()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        Take a push producer; others are not supported.
        """
        self._producer = producer
        self._producerPaused = False

    def unregisterProducer(self) -> None:
        self._producer = None

    def loseWriteConnection(self) -> None:
        """
        Tell the peer that this was all, once all bytes are written.
        """
        if self._failed or self._finishing or self._leaving or self._closed:
            return
        self._finishing = True
        if not self._unsent:
            self._finish()

    def _finish(self) -> None:
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._fail()
        else:
            self._protocol.writeConnectionLost()

    # Reading

    def pauseProducing(self) -> None:
        self._reading = False
        if not (self._leaving or self._closed):
            self._reactor.removeReader(self)

    def resumeProducing(self) -> None:
        if not (self._ended or self._losing or self._leaving or self._closed):
            self._reading = True
            self._reactor.addReader(self)

    def stopProducing(self) -> None:
        self.loseConnection()

    def doRead(self) -> Any:
        if not self._reading:
            return None  # it was paused in this turn
        self._inTurn = True
        try:
            try:
                data = self._sock.recv(CHUNK)
            except BlockingIOError:
                return None
            except OSError:
                self._leave(_lost)
            else:
                if data:
                    self._protocol.dataReceived(data)
                else:
                    self._end()
        finally:
            self._inTurn = False
        return CONNECTION_LOST if self._leaving else None

    def _end(self) -> None:
        """
        Take note that the peer has sent all.
        """
        self._ended = True
        self.pauseProducing()
        if self._failed:
            # The system tells of a reset once; after that a read looks like an end.
            self._leave(_lost)
        else:
            self._protocol.readConnectionLost()

    # The end

    def loseConnection(self) -> None:
        """
        Close, once all bytes are written.
        """
        if self._losing or self._leaving or self._closed:
            return
        self._losing = True
        self.pauseProducing()
        if not self._unsent:
            self._leave(_done)

    def abortConnection(self) -> None:
        """
        Reset the connection now. Bytes that have not reached the peer are lost.
        """
        if self._leaving or self._closed:
            return
        with contextlib.suppress(OSError):
            # A UNIX socket accepts the option too, and does not use it.
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._leave(_aborted)

    def _leave(self, reason: Failure) -> None:
        """
        Close, now or at the end of this turn of the reactor, which uses the descriptor once
        more.
        """
        self._leaving = True
        self._reason = reason
        self._unsent.clear()
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        if not self._inTurn:
            self._close()

    def _close(self) -> None:
        self._leaving, self._closed = False, True
        self._producer = None
        self._sock.close()
        self._protocol.connectionLost(self._reason)

    def connectionLost(self, reason: Failure) -> None:
        """
        Close or go on, as the reactor watches the socket no more. It calls this if
        L{doRead} or L{doWrite} return an error or raise, and if a socket has failed that is
        not read.
        """
        if self._closed:
            return
        if self._leaving:
            self._close()
        elif not reason.check(error.ConnectionDone, error.ConnectionLost):
            self.abortConnection()
        elif not _hasFailed(self._sock):
            # Meant for the former owner of the descriptor, in the same turn.
            self._watchAgain()
        elif self._failed:
            self._leave(_lost)
        else:
            self._fail()
            self._watchAgain()

    def _watchAgain(self) -> None:
        if self._reading:
            self.resumeProducing()
        if self._unsent:
            self._reactor.addWriter(self)

    # For an upgrade

    @property
    def unsent(self) -> bytes:
        """
        The bytes that the system has not taken yet.
        """
        return bytes(self._unsent)

    def stop(self) -> None:
        """
        Do nothing more, as another process has the socket. L{leave} comes next.
        """
        self._closed, self._producer = True, None
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)

    def leave(self) -> None:
        """
        Close the descriptor of this process. The socket stays as it is.
        """
        self._sock.close()

    def resetCopy(self) -> None:
        """
        Have the socket send a reset when it is closed.
        """
        with contextlib.suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def goOn(self, unsent: bytes, ended: bool, finishing: bool, finished: bool) -> None:
        """
        Stand as the transport of the same socket did in another process.

        @param unsent: bytes to write first. The producer rests meanwhile.
        @param ended: whether the peer has sent all.
        @param finishing: whether this is all for the peer.
        @param finished: whether the peer was told so.
        """
        self._ended = ended
        self._finishing = finishing
        self._unsent += unsent
        if self._unsent:
            self._producerPaused = True
            self._reactor.addWriter(self)
        elif finishing and not finished:
            self._finish()

    # Identity

    def fileno(self) -> int:
        return self._sock.fileno()

    def logPrefix(self) -> str:
        return "txlb.proxy.SocketTransport"

    def getHandle(self) -> socket.socket:
        """
        Return the socket.
        """
        return self._sock

    def getHost(self) -> Any:
        return self._name(self._sock.getsockname)

    def getPeer(self) -> Any:
        return self._name(self._sock.getpeername)

    def _name(self, ask: Any) -> IPv4Address | IPv6Address | UNIXAddress:
        name: Any = None
        with contextlib.suppress(OSError):  # it has been reset
            name = ask()
        if self._sock.family == socket.AF_UNIX:
            return UNIXAddress(name or None)
        kind: Any = IPv6Address if self._sock.family == socket.AF_INET6 else IPv4Address
        host, port, *more = name or ("", 0)
        address: IPv4Address | IPv6Address = kind("TCP", host, port, *more)
        return address


def _hasFailed(sock: socket.socket) -> bool:
    """
    Say whether a socket has an error, or its peer has closed it for both directions.
    """
    poll = select.poll()
    poll.register(sock, 0)
    return bool(poll.poll(0))
