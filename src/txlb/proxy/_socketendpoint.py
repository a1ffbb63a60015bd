"""
ConnectingSocket to an address with a socket of our own.
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
    An address that needs no look-up, TCP or UNIX.

    A host that answers and resets at once was reached: the protocol is connected, and
    reads what was sent. Twisted's own endpoints take that for a failure to connect, and
    drop it. There is no timeout: who connects cancels in time.

    @param reactor: what watches the socket.
    """

    def __init__(self, reactor: Any, address: Address) -> None:
        self._reactor = reactor
        self._address = address

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        See L{IStreamClientEndpoint.connect}.

        @return: fires with the protocol. It fails with L{error.ConnectError}, or one of
            its kinds for what the system said, with L{error.NoProtocol} if the factory
            wants none, and with L{error.ConnectingCancelledError} if it is cancelled.
        """
        return ConnectingSocket(self._reactor, self._address, protocolFactory).done
