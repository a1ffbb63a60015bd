"""
Checks where no socket may be opened: the reactor connects.
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
    Runs the conversations of checks under a reactor for tests, in the place of
    L{txlb.health.Sockets}. It has the reactor connect, and a host is well if it accepts:
    what a check would say then is not said, as there is no socket to say it on.

    @param reactor: connects.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def run(self, connection: CheckConnection, conversation: Conversation) -> Deferred[Verdict]:
        """
        Run a check. See L{txlb.health.Sockets.run}.
        """
        conversation.close()
        return self.reach(connection.address)

    def reach(self, address: Address) -> Deferred[Verdict]:
        """
        Find out whether a host accepts.

        @return: see L{txlb.health.Sockets.run}. It does not fail.
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
        See L{txlb.health.Sockets.look}. Nothing is watched.
        """

    def stop(self) -> None:
        """
        Do nothing: no descriptor is watched.
        """
