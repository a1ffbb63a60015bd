"""
TLS as a layer between a transport and a protocol.

Twisted's own layer answers the end of the peer's bytes with its own end and closes, so that a
half-closed connection loses bytes; and it takes a stream that was cut off for one that has
ended (decision 0059). This layer does neither:

  - C{loseWriteConnection} sends close_notify, and the other direction goes on.
  - A close_notify of the peer is the end of its bytes: C{readConnectionLost}.
  - An end of the peer's bytes without one is a truncation, and resets the connection; unless
    everything was said: nginx answers our close_notify with a bare end.

It uses nothing but public names of pyOpenSSL, and works on every transport.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from OpenSSL import SSL
from twisted.internet import error
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IPushProducer,
    ITransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.proxy._stepqueue import StepQueue
from txlb.tls import reasonOf

#: Bytes that are decrypted or encrypted at once.
CHUNK = 65536

#: Bytes of a TLS record at most.
RECORD = 16384

_aborted = Failure(error.ConnectionAborted())
_lost = Failure(error.ConnectionLost())


class Handshake(Protocol):
    """
    The owner of a TLS layer during its handshake.
    """

    def begin(self, data: bytes) -> SSL.Connection | None:
        """
        Take the first bytes of the peer, and choose the TLS side for them.

        @param data: the bytes that have come since the last call.
        @return: the TLS side, which was given all of them; L{None} if more are needed.
        @raise HandshakeRefused: it gets none.
        """
        ...

    def done(self, connection: SSL.Connection) -> None:
        """
        Take note that the handshake is done.

        @raise HandshakeRefused: the peer is not the right one.
        """

    def failed(self, reason: str) -> None:
        """
        Take note that it has failed. The connection is closed.
        """

    def explain(self, connection: SSL.Connection, reason: str) -> str:
        """
        Say why OpenSSL has refused the peer.

        @param reason: what pyOpenSSL says.
        """
        ...

    def over(self, connection: SSL.Connection) -> None:
        """
        Take note that the connection has ended in good order.
        """

    def gone(self) -> None:
        """
        Let go of the TLS side, as the connection has ended in any way.
        """


#: Whether the handshake is done, and why it has failed.
Outcome = tuple[bool, SSL.Error | None]


def _shake(tls: SSL.Connection) -> Outcome:
    """
    Do a step of OpenSSL's, in any thread.
    """
    try:
        tls.do_handshake()
    except SSL.WantReadError:
        return False, None
    except SSL.Error as problem:
        return False, problem
    return True, None


class HandshakeRefused(Exception):
    """
    The refusal of a peer during its handshake.

    @ivar alert: bytes to send before the connection is closed.
    """

    def __init__(self, reason: str, alert: bytes = b"") -> None:
        self.alert = alert
        super().__init__(reason)


@implementer(ITransport, IConsumer, IPushProducer, IHalfCloseableProtocol)
class TLSTransport:
    """
    The TLS layer of one connection: the protocol of a transport, and the transport of a
    protocol. The transport below is the only one that refers to it after the protocol has
    gone.

    @param protocol: is connected when the handshake is done.
    @param handshake: has the TLS side, and is told of the handshake.
    @param steps: where steps of handshakes wait for their turn.
    @param truncated: is called if the peer's bytes end without close_notify.
    @param header: bytes that go before TLS.
    """

    #: The transport below.
    transport: Any

    #: Does a step of OpenSSL's in a thread, and then calls a function with its result; None if
    #: steps are short. The peer is not read meanwhile.
    inThread: Callable[[Callable[[], Any], Callable[[Any], None]], None] | None = None

    def __init__(
        self,
        protocol: Any,
        handshake: Handshake,
        steps: StepQueue,
        truncated: Callable[[], object],
        header: bytes = b"",
    ) -> None:
        self._header = header
        self._over, self._gone = handshake.over, handshake.gone
        self._protocol = protocol
        self._handshake: Handshake | None = handshake
        self._steps = steps
        self._truncated = truncated
        self._tls: SSL.Connection | None = None
        self._first = bytearray()
        self.queued = False
        # Whether the protocol wants no bytes now; whether it is being given some.
        self._paused = self._pumping = False
        # Whether TLS has more for the protocol; whether close_notify has come, and was told.
        self._fed = self._ended = self._toldEnd = False
        # Whether the bytes of the transport below have ended.
        self._lowerEnded = False
        # Whether we have sent close_notify.
        self._finished = False
        self._lowerLost: Failure | None = None
        # Whether it is closed, or about to be; whether it is because TLS has failed.
        self._closed = self._broken = False
        # Whether a thread does a step; what that has given.
        self._underWay = False
        self._outcome: Outcome | None = None

    # The handshake

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        if self._header:
            transport.write(self._header)
        self._queueStep()

    def _queueStep(self) -> None:
        self._steps.queueBulk(self)

    def moveBulk(self) -> None:
        """
        Do a step of the handshake; the queue calls this.
        """
        handshake = self._handshake
        if handshake is None or self._closed or self._underWay:
            return
        try:
            if not self._step(handshake):
                if self._lowerEnded and not self._goesOn:
                    self._fail("the connection ended during the handshake")
                return
        except HandshakeRefused as refused:
            self._fail(str(refused), refused.alert)
            return
        except SSL.Error as problem:
            reason = reasonOf(problem)
            if self._tls is not None:
                reason = handshake.explain(self._tls, reason)
            self._fail(reason)
            return
        self._handshake = None
        self._protocol.makeConnection(self)
        # Bytes may have come with the last ones of the handshake.
        self._fed = True
        if not self._paused:
            self._pump()

    @property
    def _goesOn(self) -> bool:
        """
        Whether a step is under way, or waits for its turn.
        """
        return self._underWay or self.queued

    def breakDown(self) -> None:
        """
        Reset the connection, as a step of the handshake raised, or the protocol did with what came
        behind that.
        """
        if self._handshake is None:
            self.abortConnection()
        self._fail("a step of the handshake broke")

    def _step(self, handshake: Handshake) -> bool:
        """
        Go on with the handshake.

        @return: whether it is done.
        """
        tls, came = self._tls, bytes(self._first)
        self._first.clear()
        if tls is None:
            tls = self._tls = handshake.begin(came)
            if tls is None:
                return False
        elif came:
            # It came while a thread had the TLS side.
            tls.bio_write(came)
        outcome, self._outcome = self._outcome, None
        if outcome is None:
            if self.inThread is not None:
                self._underWay = True
                self.transport.pauseProducing()
                self.inThread(partial(_shake, tls), self._inThreadDone)
                return False
            outcome = _shake(tls)
        # There may be an alert to send.
        self._flush()
        done, problem = outcome
        if problem is not None:
            raise problem
        if done:
            handshake.done(tls)
        elif came and self.inThread is not None:
            self._queueStep()
        return done

    def _inThreadDone(self, outcome: Outcome) -> None:
        """
        Go on with what a thread has given, and with what has come meanwhile.
        """
        self._underWay = False
        if self._handshake is None or self._tls is None:
            return
        self._outcome = outcome
        self.transport.resumeProducing()
        self._queueStep()

    def _fail(self, reason: str, alert: bytes = b"") -> None:
        handshake, self._handshake = self._handshake, None
        if handshake is None:
            return
        self._closed = True
        if alert:
            self.transport.write(alert)
        self.transport.loseConnection()
        handshake.failed(reason)

    def abandon(self) -> None:
        """
        End the handshake, and reset the connection. The owner is not told.
        """
        if self._handshake is not None:
            self._handshake = None
            self._closed = True
            self.transport.abortConnection()

    # The side of the transport below

    def dataReceived(self, data: bytes) -> None:
        if self._closed:
            return
        if self._tls is None or self._underWay or self._outcome is not None:
            self._first += data
            self._queueStep()
            return
        self._tls.bio_write(data)
        if self._handshake is not None:
            self._queueStep()
            return
        self._fed = True
        if not self._paused:
            self._pump()

    def _pump(self) -> None:
        """
        Give the protocol what TLS has for it.
        """
        tls = self._tls
        if self._pumping or self._closed or tls is None:
            return
        self._pumping = True
        try:
            while self._fed and not (self._paused or self._closed):
                try:
                    data = tls.recv(CHUNK)
                except SSL.WantReadError:
                    self._fed = False
                except SSL.ZeroReturnError:
                    self._fed = False
                    self._ended = True
                except SSL.Error:
                    # An alert, or bytes that were changed on their way. The peer gets an alert
                    # too, which a reset would take away.
                    self._flush()
                    if self.waiting:
                        self.transport.abortConnection()
                    else:
                        self._closed = self._broken = True
                        self.transport.loseConnection()
                    return
                else:
                    self._protocol.dataReceived(data)
            self._flush()
            if not (self._fed or self._closed):
                self._end()
        finally:
            self._pumping = False

    def _end(self) -> None:
        """
        Tell the protocol that the peer has sent all, or has been cut off.
        """
        if self._toldEnd or not (self._ended or self._lowerEnded):
            return
        self._toldEnd = True
        if self._ended or self._finished:
            self._ended = True
            self._protocol.readConnectionLost()
            return
        self._truncated()
        self.transport.abortConnection()

    def readConnectionLost(self) -> None:
        self._lowerEnded = True
        if self._handshake is not None:
            self._queueStep()
        elif not self._paused or not self._fed:
            self._pump()
            if not self._fed:
                self._end()

    def writeConnectionLost(self) -> None:
        """
        Do nothing: the transport below is never half-closed.
        """

    def writeFailed(self) -> None:
        """
        Tell the protocol that the peer takes nothing more.
        """
        if self._handshake is None and not self._closed:
            tell = getattr(self._protocol, "writeFailed", None)
            if tell is not None:
                tell()

    def connectionLost(self, reason: Failure) -> None:
        if self._handshake is not None:
            self._fail("the connection was lost during the handshake")
            # The collector of garbage would find it late.
            self._tls = None
            return
        if self._tls is None or self._lowerLost is not None:
            return
        self._lowerLost = reason
        if self._ended and self._finished:
            self._over(self._tls)
        if not self._closed:
            # What has come before the end belongs to the protocol.
            self._paused = False
            self._pump()
        self._closed = True
        self._protocol.connectionLost(_aborted if self._broken else reason)
        # The memory of TLS must not wait for the collector of garbage, which looks at old objects
        # seldom.
        self._tls = None
        self._gone()

    # The side of the protocol

    def _flush(self) -> None:
        """
        Give the transport below what TLS has to say.
        """
        tls = self._tls
        if tls is None or self._lowerLost is not None:
            return
        while True:
            try:
                data = tls.bio_read(CHUNK)
            except SSL.WantReadError:
                return
            self.transport.write(data)

    def write(self, data: bytes) -> None:
        tls = self._tls
        if self._finished or self._closed or tls is None:
            return
        view = memoryview(data)
        try:
            for at in range(0, len(view), RECORD):
                piece = view[at : at + RECORD]
                while piece:
                    piece = piece[tls.send(piece) :]
        except SSL.Error:
            self.transport.abortConnection()
            return
        self._flush()

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    @property
    def waiting(self) -> int:
        """
        Bytes that the system has not taken yet.
        """
        return int(getattr(self.transport, "waiting", 0))

    @property
    def disconnecting(self) -> bool:
        """
        Whether it takes nothing more to write.
        """
        return self._finished or self._closed

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        # The transport below knows when it takes no more.
        self.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        self.transport.unregisterProducer()

    def _sayAll(self) -> None:
        tls = self._tls
        if not self._finished and tls is not None:
            self._finished = True
            try:
                tls.shutdown()
            except SSL.Error:
                # It has failed, and there is nothing to say any more.
                pass
            self._flush()

    def loseWriteConnection(self) -> None:
        """
        Tell the peer that this was all, by close_notify.
        """
        if self._finished or self._closed:
            return
        self._sayAll()
        self._protocol.writeConnectionLost()

    def loseConnection(self) -> None:
        """
        Close, once all bytes are written.
        """
        if not self._closed:
            self._sayAll()
            self.transport.loseConnection()

    def abortConnection(self) -> None:
        """
        Reset the connection now.
        """
        self.transport.abortConnection()

    def pauseProducing(self) -> None:
        self._paused = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        self._pump()
        if not self._paused and not self._closed:
            self.transport.resumeProducing()

    def stopProducing(self) -> None:
        self.loseConnection()

    def getHandle(self) -> Any:
        """
        Return the handle of the transport below: a socket, if that has one.
        """
        return self.transport.getHandle()

    def getHost(self) -> Any:
        return self.transport.getHost()

    def getPeer(self) -> Any:
        return self.transport.getPeer()
