"""
The endpoint of the portable relay.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from txlb.model import Address
from txlb.proxy._connectingsocket import ConnectingSocket


@implementer(IStreamClientEndpoint)
class SocketEndpoint:
    """
    An endpoint for an address that needs no look-up, TCP or UNIX.

    A host that answers and resets at once was reached: the protocol is connected, and reads
    the answer. Twisted's own endpoints take that for a failure to connect, and drop the
    answer. There is no timeout: the caller cancels in time.

    @param reactor: watches the socket.
    """

    def __init__(self, reactor: Any, address: Address) -> None:
        self._reactor = reactor
        self._address = address

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect.

        @return: fires with the protocol. It fails with L{error.ConnectError}, or the subclass
            for the error of the system, with L{error.NoProtocol} if the factory makes no
            protocol, and with L{error.ConnectingCancelledError} if it is cancelled.
        """
        return ConnectingSocket(self._reactor, self._address, protocolFactory).done
