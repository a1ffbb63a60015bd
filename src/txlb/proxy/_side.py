"""
One side of a relayed connection.
"""

from __future__ import annotations

import socket
from typing import Any, Protocol

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.pool import Outcome
from txlb.proxy._sockets import bytesOnTheWay, setStreamOptions


class SideOwner(Protocol):
    """
    The owner of two sides: a pair.
    """

    def moved(self, source: Side, count: int) -> None:
        """
        Count bytes that a side sent, which are on their way to the other.
        """

    def ended(self, side: Side) -> None:
        """
        Take note that a side has sent all, or is lost.
        """

    def progressed(self) -> None:
        """
        Take note that a side has sent all, or been told all.
        """

    def failed(self, side: Side) -> None:
        """
        Take note that a side takes nothing more.
        """

    def lost(self, side: Side) -> None:
        """
        Take note that a side is closed.
        """


@implementer(IHalfCloseableProtocol)
class Side(TwistedProtocol):
    """
    One side of a pair. It passes its transport's events on to the pair. Owned by its pair.

    @ivar other: the other side.
    @ivar sentAll: whether its FIN was read.
    @ivar toldAll: whether the other side's FIN was passed on to it.
    @ivar failed: whether it takes nothing more. The bytes that it has sent can still be read.
    @ivar resetOutcome: the outcome of the connection if this side resets it.
    """

    transport: Any
    other: Side

    def __init__(self, pair: SideOwner, resetOutcome: Outcome) -> None:
        self._pair = pair
        self.resetOutcome = resetOutcome
        self.sentAll = False
        self.toldAll = False
        self.failed = False
        self._isLost = False

    @property
    def isOpen(self) -> bool:
        """
        Whether it is connected.
        """
        return self.transport is not None and not self._isLost

    @property
    def onTheWay(self) -> int:
        """
        Bytes that the system has taken for this side, and that the peer has not taken yet.
        """
        sock = socketOf(self.transport)
        return 0 if sock is None else bytesOnTheWay(sock.fileno())

    @property
    def undelivered(self) -> int:
        """
        Bytes that were written to this side and that a reset would drop. On a UNIX socket
        the bytes that the system has taken belong to the peer.
        """
        sock = socketOf(self.transport)
        # A transport of the reactor does not tell how many it has; 0 is assumed.
        waiting: int = getattr(self.transport, "waiting", 0)
        return waiting if sock is None or sock.family == socket.AF_UNIX else waiting + self.onTheWay

    def connectionMade(self) -> None:
        """
        Stop reading until both sides are connected.
        """
        self.transport.pauseProducing()
        sock = socketOf(self.transport)
        if sock is not None and sock.family != socket.AF_UNIX:
            setStreamOptions(sock)

    def dataReceived(self, data: bytes) -> None:
        """
        Write the bytes to the other side.
        """
        self.other.transport.write(data)
        self._pair.moved(self, len(data))

    def readConnectionLost(self) -> None:
        """
        Tell the other side that this one has sent all.
        """
        self.sentAll = True
        self._pair.ended(self)
        if self.other.isOpen:
            # A paused producer would keep the FIN back for ever.
            self.other.transport.unregisterProducer()
            self.other.transport.loseWriteConnection()
        self._pair.progressed()

    def writeConnectionLost(self) -> None:
        """
        Tell the pair that this side knows that the other one has sent all.
        """
        self.toldAll = True
        self._pair.progressed()

    def writeFailed(self) -> None:
        """
        Tell the pair that this side takes nothing more.
        """
        self.failed = True
        self._pair.failed(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Tell the pair that this side is closed.
        """
        self._isLost = True
        self._pair.lost(self)


def socketOf(transport: Any) -> socket.socket | None:
    """
    Find the socket of a transport; L{None} if it has none.
    """
    getHandle = getattr(transport, "getHandle", None)
    handle = getHandle() if getHandle is not None else None
    return handle if isinstance(handle, socket.socket) else None
