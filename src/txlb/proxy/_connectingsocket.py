"""
A socket that is being connected.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IReadWriteDescriptor
from twisted.internet.main import CONNECTION_LOST
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.connecting import RESET_SINCE, familyAndName
from txlb.model import Address
from txlb.proxy._sockettransport import SocketTransport

#: The results of connect(2) after which connecting goes on.
UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK})


@implementer(IReadWriteDescriptor)
class ConnectingSocket:
    """
    A socket that is being connected. Owned by the reactor until it is connected or has
    failed.

    @param reactor: watches the socket.
    @param address: the address that it connects to, which needs no look-up.
    @param factory: builds the protocol.

    @ivar done: fires and fails as L{txlb.proxy._socketendpoint.SocketEndpoint.connect} says.
    """

    def __init__(self, reactor: Any, address: Address, factory: IProtocolFactory) -> None:
        self.done: Deferred[IProtocol] = Deferred(self._cancel)
        self._reactor = reactor
        self._address = address
        self._factory = factory
        self._sock: socket.socket | None = None
        self._fd = -1
        # The error of the system; 0 for none.
        self._number = 0
        try:
            family, name = familyAndName(address)
            self._sock = sock = socket.socket(family, socket.SOCK_STREAM)
            self._fd = sock.fileno()
            sock.setblocking(False)
            number = sock.connect_ex(name)
        except OSError as problem:
            self._fail(problem.errno or errno.EINVAL)
            return
        # Connecting to a UNIX socket takes no time: it fails with EAGAIN if the backlog is
        # full, and no event would follow.
        if number in UNDER_WAY and family != socket.AF_UNIX:
            reactor.addWriter(self)
        elif number:
            self._fail(number)
        else:
            self._connected(sock, False)

    def doRead(self) -> Any:
        """
        Look at the socket. It is not watched for reading, but an event that the reactor
        took for the former owner of the descriptor in the same turn comes here.
        """
        return self.doWrite()

    def doWrite(self) -> Any:
        """
        Look at the socket: it is connected, or it has failed.
        """
        self._look()
        # Closing is for later, as the reactor looks for the descriptor once more.
        return CONNECTION_LOST if self._number else None

    def _look(self) -> None:
        """
        Look whether the socket is connected or has failed.
        """
        sock = self._sock
        if sock is None or self._number:
            return
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number and number not in RESET_SINCE:
            self._number = number
        elif number or _isConnected(sock):
            self._reactor.removeWriter(self)
            self._connected(sock, bool(number))

    def connectionLost(self, reason: Failure) -> None:
        """
        End the attempt if it has failed. Otherwise the event was meant for the former owner
        of the descriptor, in the same turn: watch the socket again.
        """
        self._look()
        if self._number:
            self._fail(self._number)
        elif self._sock is not None:
            self._reactor.addWriter(self)

    def fileno(self) -> int:
        return self._fd

    def logPrefix(self) -> str:
        return "txlb.proxy.SocketEndpoint"

    def _connected(self, sock: socket.socket, failed: bool) -> None:
        self._sock = None
        factory: Any = self._factory
        protocol = factory.buildProtocol(None)
        if protocol is None:
            sock.close()
            self.done.errback(Failure(error.NoProtocol()))
            return
        SocketTransport(self._reactor, sock, protocol, failed)
        self.done.callback(protocol)

    def _fail(self, number: int) -> None:
        self._close()
        problem = error.getConnectError((number, os.strerror(number)))
        self.done.errback(Failure(problem))

    def _close(self) -> None:
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()

    def _cancel(self, deferred: Deferred[IProtocol]) -> None:
        if self._sock is not None:
            self._reactor.removeWriter(self)
            self._close()
        deferred.errback(Failure(error.ConnectingCancelledError(self._address)))


def _isConnected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True
