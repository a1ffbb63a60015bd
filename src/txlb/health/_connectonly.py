"""
Checks under a reactor that opens no sockets.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from txlb.connecting import OneProtocolFactory, reactorEndpointOf
from txlb.health._checkconnection import CheckConnection, Conversation
from txlb.health._verdict import Verdict
from txlb.model import Address


class ConnectOnly:
    """
    A stand-in for L{txlb.health.Sockets} under a reactor for tests. The reactor connects, and a
    check passes if the host accepts. The conversation of the check is not run, as it needs a
    socket.

    @param reactor: connects.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def run(self, connection: CheckConnection, conversation: Conversation) -> Deferred[Verdict]:
        """
        Connect, and run no step of the conversation.

        @return: fires with the verdict. It does not fail.
        """
        conversation.close()
        return self.reach(connection.address)

    def reach(self, address: Address) -> Deferred[Verdict]:
        """
        Find out whether a host accepts.

        @return: fires with the verdict. It does not fail.
        """
        protocol = Protocol()
        endpoint = reactorEndpointOf(self._reactor, address)
        connecting: Deferred[Any] = endpoint.connect(OneProtocolFactory(protocol))

        def connected(_: object) -> Verdict:
            transport: Any = protocol.transport
            transport.abortConnection()
            return Verdict(True, "connected")

        def failed(reason: Failure) -> Verdict:
            if reason.check(ConnectingCancelledError):
                return Verdict(False, "no connection")
            return Verdict(False, reason.getErrorMessage())

        return connecting.addCallbacks(connected, failed)

    def look(self) -> None:
        """
        Do nothing: no descriptor is watched.
        """

    def stop(self) -> None:
        """
        Do nothing: no descriptor is watched.
        """
