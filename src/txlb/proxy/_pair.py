"""
Two connected protocols and the bytes between them.

Each side is the push producer of the other: when one can't be written to, the
other is not read. The bytes of one direction end in three steps, after which
that direction is closed:

    1. one side has finished sending (its FIN was read),
    2. what was read before has been written to the other side,
    3. the other side has been told (our FIN was sent).

With both directions closed the connection is over in good order. Anything else
that ends a side - a reset, a timeout, a stop - resets the other.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.deadlines import Deadline, Deadlines
from txlb.pool import Lease, Outcome
from txlb.proxy._results import Timeouts
from txlb.proxy._sockets import bytesOnTheWay, setStreamOptions


@implementer(IHalfCloseableProtocol)
class Side(Protocol):
    """
    One side of a pair. It only passes on what happens to it.

    @ivar sentAll: its FIN was read.
    @ivar toldAll: the other side's FIN was passed on to it.
    """

    transport: Any
    other: Side

    def __init__(self, pair: Pair, resetOutcome: Outcome) -> None:
        self._pair = pair
        self.resetOutcome = resetOutcome
        self.sentAll = False
        self.toldAll = False
        self._isLost = False

    @property
    def isOpen(self) -> bool:
        """
        Whether it is connected.
        """
        return self.transport is not None and not self._isLost

    def connectionMade(self) -> None:
        """
        Nothing is read before both sides are there.
        """
        self.transport.pauseProducing()
        sock = _socketOf(self.transport)
        if sock is not None and sock.family != socket.AF_UNIX:
            setStreamOptions(sock)

    def dataReceived(self, data: bytes) -> None:
        """
        Pass it on.
        """
        self.other.transport.write(data)
        self._pair.moved(self, len(data))

    def readConnectionLost(self) -> None:
        """
        It has sent all.
        """
        self.sentAll = True
        self._pair.ended(self)
        if self.other.isOpen:
            # A producer that is paused would keep the FIN back for ever.
            self.other.transport.unregisterProducer()
            self.other.transport.loseWriteConnection()
        self._pair.progressed()

    def writeConnectionLost(self) -> None:
        """
        It has been told that the other side has sent all.
        """
        self.toldAll = True
        self._pair.progressed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        It is closed.
        """
        self._isLost = True
        self._pair.lost(self)


class Pair:
    """
    The two sides of one relayed connection.

    @ivar client: the side towards the client.
    @ivar host: the side towards the host.
    @param closed: is called once, when both sides are closed, with how it ended.
    """

    def __init__(
        self, deadlines: Deadlines, timeouts: Timeouts, closed: Callable[[Outcome], object]
    ) -> None:
        self._deadlines = deadlines
        self._timeouts = timeouts
        self._closed = closed
        self._lease: Lease | None = None
        self._outcome: Outcome | None = None
        self._deadline: Deadline | None = None
        self._lastMoved = 0.0
        self._unsent = 0
        self.client = Side(self, Outcome.CLIENT_RESET)
        self.host = Side(self, Outcome.HOST_RESET)
        self.client.other = self.host
        self.host.other = self.client

    def claim(self, lease: Lease) -> None:
        """
        The host is connected. From here C{closed} will be called.

        @param lease: what bytes are counted on; its owner releases it.
        """
        self._lease = lease

    def begin(self, toHost: bytes, toClient: bytes) -> None:
        """
        Both sides are connected: move bytes.

        @param toHost: bytes to send to the host first, not counted.
        @param toClient: bytes to send to the client first, not counted.
        """
        if not (self.client.isOpen and self.host.isOpen):
            lost = self.client if self.host.isOpen else self.host
            self.abort(lost.resetOutcome)
            return
        for side, first in ((self.client, toClient), (self.host, toHost)):
            side.transport.registerProducer(side.other.transport, True)
            if first:
                side.transport.write(first)
        for side in (self.client, self.host):
            side.transport.resumeProducing()
        self._lastMoved = self._deadlines.seconds()
        self._watch(self._timeouts.idle)

    def moved(self, source: Side, count: int) -> None:
        """
        A side sent so many bytes, which are on their way to the other.
        """
        self._lastMoved = self._deadlines.seconds()
        if self._lease is not None:
            if source is self.client:
                self._lease.add(count, 0)
            else:
                self._lease.add(0, count)

    def ended(self, side: Side) -> None:
        """
        A side has sent all, or is lost.
        """
        if side is self.host and not self.client.sentAll and self._lease is not None:
            self._lease.hostFirst = True

    def progressed(self) -> None:
        """
        A side has sent all, or been told all.
        """
        self._lastMoved = self._deadlines.seconds()
        if self.client.toldAll and self.host.toldAll:
            self._end(Outcome.DONE)
        elif self._outcome is None:
            self._watch(self._timeouts.fin)

    def lost(self, side: Side) -> None:
        """
        A side is closed.
        """
        if self._outcome is None:
            self.ended(side)
            self._end(side.resetOutcome)
        self._checkClosed()

    def abort(self, outcome: Outcome) -> None:
        """
        Reset both sides.
        """
        if self._outcome is None:
            self._end(outcome)

    def _end(self, outcome: Outcome) -> None:
        self._outcome = outcome
        for side in (self.client, self.host):
            if side.isOpen:
                side.transport.unregisterProducer()
                if outcome is Outcome.DONE:
                    side.transport.loseConnection()
                else:
                    side.transport.abortConnection()
        self._checkClosed()

    def _checkClosed(self) -> None:
        if self._lease is None or self._outcome is None or self.client.isOpen or self.host.isOpen:
            return
        self._stopWatching()
        closed, self._closed = self._closed, _ignore
        closed(self._outcome)

    # Silence

    def _watch(self, timeout: float) -> None:
        self._stopWatching()
        if timeout:
            self._unsent = self._unsentBytes()
            when = self._silentAt(timeout)
            self._deadline = self._deadlines.at(when, lambda: self._look(timeout))

    def _silentAt(self, timeout: float) -> float:
        """
        When it has been silent for too long.
        """
        # What was sent while the process slept may be on its way still.
        return self._lastMoved + timeout + self._deadlines.sleptSince(self._lastMoved)

    def _stopWatching(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _look(self, timeout: float) -> None:
        """
        The time is over unless something has moved since.
        """
        now = self._deadlines.seconds()
        unsent = self._unsentBytes()
        if unsent != self._unsent:
            # A slow reader empties the system's buffers for a long time before
            # we get to write again.
            self._lastMoved = now
        if now < self._silentAt(timeout):
            self._watch(timeout)
        elif self.client.sentAll or self.host.sentAll:
            self._end(Outcome.FIN_TIMEOUT)
        else:
            self._end(Outcome.IDLE_TIMEOUT)

    def _unsentBytes(self) -> int:
        return sum(_queued(side.transport) for side in (self.client, self.host) if side.isOpen)


def _socketOf(transport: Any) -> socket.socket | None:
    """
    The socket of a transport that has one.
    """
    getHandle = getattr(transport, "getHandle", None)
    handle = getHandle() if getHandle is not None else None
    return handle if isinstance(handle, socket.socket) else None


def _queued(transport: Any) -> int:
    """
    Bytes that the system has taken from this transport and the peer has not.
    """
    sock = _socketOf(transport)
    return 0 if sock is None else bytesOnTheWay(sock.fileno())


def _ignore(outcome: Outcome) -> None:
    """
    It has been told already.
    """
