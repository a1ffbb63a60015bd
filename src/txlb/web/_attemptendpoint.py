"""
The endpoint of one attempt, for an C{Agent}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from txlb.connecting import ConnectFailed
from txlb.deadlines import Deadlines
from txlb.endpoints import hostEndpoint
from txlb.model import Address
from txlb.pool import Attempt, Failure, FailureKind
from txlb.proxy import connectTo


@implementer(IStreamClientEndpoint)
class AttemptEndpoint:
    """
    An endpoint that connects to the host of one attempt, by its deadline.

    @param reactor: connects.
    @param deadlines: where the deadline waits.
    @param creator: makes TLS connections; L{None} for plain HTTP.
    """

    def __init__(
        self,
        reactor: Any,
        deadlines: Deadlines,
        attempt: Attempt,
        creator: IOpenSSLClientConnectionCreator | None,
    ) -> None:
        self._reactor = reactor
        self._deadlines = deadlines
        self._attempt = attempt
        self._creator = creator

    @property
    def address(self) -> Address:
        """
        The address of the host.
        """
        return self._attempt.host.configured.address

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect to the host.

        @return: fires with the protocol. It fails with L{ConnectFailed} if the host can't
            be reached, and with no other error unless it is cancelled.
        """
        attempt = self._attempt
        if attempt.dial.pool.seconds() >= attempt.deadline:
            # A kept connection broke long after the request was written to it. That
            # does not show whether the host accepts, so the host must not be marked
            # down.
            return fail(ConnectFailed(Failure(FailureKind.BUSY, "no time is left")))
        if self._creator is not None:
            protocolFactory = TLSMemoryBIOFactory(
                self._creator, True, protocolFactory, self._reactor
            )
        factory: Any = protocolFactory  # which ignores the address
        protocol = factory.buildProtocol(None)
        connecting = connectTo(
            self._reactor, self._deadlines, attempt, protocol, makeEndpoint=hostEndpoint
        )
        if self._creator is not None:
            connecting.addCallback(lambda _: protocol.wrappedProtocol)
        return connecting
