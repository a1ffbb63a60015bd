"""
Connections of probes.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.python.failure import Failure as TwistedFailure
from zope.interface import implementer

from txlb.connecting import ConnectFailed, endpointOf, failureFrom
from txlb.model import Address


class ProbeFailed(Exception):
    """
    A host could not be asked, or its answer says nothing. The message is for
    people. It says nothing of the host's health.
    """


@implementer(IStreamClientEndpoint)
class ProbeEndpoint:
    """
    An endpoint for an address that needs no look-up. It says why it can't connect in
    the words that relays and checks have for it. It has no timeout of
    its own, which would go by the wall clock: the monitor cancels a probe in time.
    """

    def __init__(self, reactor: Any, address: Address) -> None:
        self._endpoint = endpointOf(reactor, address)
        self._address = address

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        See L{IStreamClientEndpoint.connect}.

        @return: fails with L{ProbeFailed}, or with L{ConnectingCancelledError} if it is
            cancelled.
        """
        return self._endpoint.connect(protocolFactory).addErrback(self._failed)

    def _failed(self, reason: TwistedFailure) -> IProtocol:
        value = reason.value
        if isinstance(value, ConnectingCancelledError):
            raise value
        if isinstance(value, ConnectFailed):
            raise ProbeFailed(value.failure.detail)
        raise ProbeFailed(failureFrom(reason, self._address).detail)
