"""
Connections of probes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.python.failure import Failure as TwistedFailure
from zope.interface import implementer

from txlb.connecting import ConnectFailed, RacingEndpoint, endpointOf, failureFrom
from txlb.deadlines import Deadlines

if TYPE_CHECKING:
    from txlb.resources._target import ProbeTarget


class ProbeFailed(Exception):
    """
    The error of a probe: the host can't be reached, or its answer can't be used. The message is
    for people. It has no effect on the host's health.
    """


@implementer(IStreamClientEndpoint)
class ProbeEndpoint:
    """
    An endpoint for the target of a probe. It tries several addresses side by side, see
    L{txlb.connecting.Race}. Its errors have the same texts as those of relays and checks. It
    has no timeout of its own, which would go by the wall clock: the monitor cancels a probe in
    time.
    """

    def __init__(self, reactor: Any, target: ProbeTarget) -> None:
        self._reactor = reactor
        self._target = target

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect to the target.

        @return: fires with the protocol. It fails with L{ProbeFailed}, or with
            L{ConnectingCancelledError} or L{CancelledError} if it is cancelled.
        """
        target = self._target
        if not target.others:
            endpoint = endpointOf(self._reactor, target.address)
            return endpoint.connect(protocolFactory).addErrback(self._failed)
        deadlines = Deadlines(self._reactor, time.monotonic)
        racing = RacingEndpoint(
            self._reactor,
            deadlines,
            (target.address, *target.others),
            target.timeout,
            deadlines.seconds() + target.timeout,
        )
        connecting = racing.connect(protocolFactory)

        def ended(result: Any) -> Any:
            deadlines.stop()
            if target.reached is not None and racing.reached in target.others:
                target.reached(racing.reached)
            return result

        return connecting.addBoth(ended).addErrback(self._failed)

    def _failed(self, reason: TwistedFailure) -> IProtocol:
        value = reason.value
        if isinstance(value, (CancelledError, ConnectingCancelledError)):
            raise value
        if isinstance(value, ConnectFailed):
            raise ProbeFailed(value.failure.detail)
        raise ProbeFailed(failureFrom(reason, self._target.address).detail)
