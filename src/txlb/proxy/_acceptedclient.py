"""
A client that the reactor has accepted.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.proxy._side import Side, socketOf

#: Bytes that a client may send before it has a host. Only a transport that goes on although it
#: is paused delivers any; as many as the portable relay reads at once are kept.
MOST_EARLY = 65536


@implementer(IHalfCloseableProtocol)
class AcceptedClient(Protocol):
    """
    A client that the reactor has accepted. Its connection is a transport of the reactor, and
    its descriptor is not known. It is not read until it has a host; then it belongs to a side
    of a pair.

    @param accepted: is called once it is connected, with this object and its address.
    """

    transport: Any

    def __init__(self, accepted: Callable[[AcceptedClient, object], object]) -> None:
        self._accepted = accepted
        self._side: Side | None = None
        self._begun = False
        self._early = bytearray()
        self._sentAll = False
        self._lost: Failure | None = None

    @property
    def hasLeft(self) -> bool:
        """
        Whether the client has gone, as far as can be seen without reading it.
        """
        if self._lost is not None:
            return True
        sock = socketOf(self.transport)
        return sock is not None and hasEnded(sock)

    @property
    def ownName(self) -> object:
        """
        The address of the balancer's end, as C{getsockname} gives it.
        """
        return nameOf(self.transport.getHost())

    def handTo(self, side: Side) -> None:
        """
        Give the client to a side of a pair. L{begin} follows.
        """
        self._side = side
        side.transport = self.transport
        side.connectionMade()
        if self._lost is not None:
            side.connectionLost(self._lost)

    def wrap(self, layer: Any) -> None:
        """
        Give the connection to a layer, which is read from now on. This object is done.
        """
        transport = self.transport
        transport.protocol = layer
        layer.makeConnection(transport)
        if self._early:
            layer.dataReceived(bytes(self._early))
        if self._sentAll:
            layer.readConnectionLost()
        if self._lost is not None:
            layer.connectionLost(self._lost)
        else:
            transport.resumeProducing()

    def begin(self) -> None:
        """
        Pass on the bytes and the end that the client sent before it had a host.
        """
        self._begun = True
        side, early = self._side, bytes(self._early)
        self._early.clear()
        if side is None or self._lost is not None:
            return
        if early:
            side.dataReceived(early)
        if self._sentAll:
            side.readConnectionLost()

    def close(self) -> None:
        """
        Close the connection of a client that gets no host.
        """
        if self._lost is None:
            self.transport.loseConnection()

    # The reactor's side

    def connectionMade(self) -> None:
        self.transport.pauseProducing()
        self._accepted(self, nameOf(self.transport.getPeer()))

    def dataReceived(self, data: bytes) -> None:
        """
        Pass on the bytes of the client. A transport of a reactor delivers none before the
        client has a host, as it is paused; many transports for tests do. A layer of TLS delivers
        all that it has once the client has its host, before L{begin}.
        """
        if self._begun and self._side is not None:
            self._side.dataReceived(data)
        elif self._side is not None or len(self._early) + len(data) <= MOST_EARLY:
            self._early += data
        else:
            self.transport.abortConnection()

    def readConnectionLost(self) -> None:
        self._sentAll = True
        if self._begun and self._side is not None:
            self._side.readConnectionLost()

    def writeConnectionLost(self) -> None:
        if self._side is not None:
            self._side.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = reason
        if self._side is not None:
            self._side.connectionLost(reason)


def hasEnded(sock: socket.socket) -> bool:
    """
    Say whether a peer has reset its connection, or has finished and sent nothing that is
    unread.

    @param sock: the socket, non-blocking.
    """
    try:
        # The bytes that were sent before a reset can still be read, so ask for the error.
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return True
        return not sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True


def nameOf(address: object) -> object:
    """
    Write one of Twisted's addresses as a socket does: a pair of host and port, or a path.
    """
    if isinstance(address, (IPv4Address, IPv6Address)):
        return address.host, address.port
    return getattr(address, "name", None) or "" if isinstance(address, UNIXAddress) else ""
