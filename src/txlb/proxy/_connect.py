"""
Connecting to a host with endpoints.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import error as neterror
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IProtocol, IStreamClientEndpoint
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure as TwistedFailure

from txlb.connecting import (
    NO_PORTS,
    ConnectFailed,
    OneProtocolFactory,
    PortPauses,
    RacingEndpoint,
    endpointOf,
    failureFrom,
    isSelfConnected,
)
from txlb.deadlines import Deadlines
from txlb.model import Address, TCPAddress
from txlb.pool import Attempt, Failure, FailureKind


def connectTo(
    reactor: Any,
    deadlines: Deadlines,
    attempt: Attempt,
    protocol: Protocol,
    pauses: PortPauses | None = None,
    makeEndpoint: Callable[[Any, Address], IStreamClientEndpoint] = endpointOf,
) -> Deferred[IProtocol]:
    """
    Connect a protocol to the host of an attempt before its deadline. If the host has
    several addresses, they are tried side by side by a L{RacingEndpoint}.

    @param pauses: the addresses that are not tried for lack of local ports.
    @param makeEndpoint: makes the endpoint for an address; by default one of Twisted's.
    @return: fires with the protocol once it is connected. It fails with
        L{ConnectFailed} if the host can't be reached, and with the endpoint's error if it is
        cancelled.
    """
    if len(attempt.host.addresses) > 1:
        return _race(reactor, deadlines, attempt, protocol, pauses, makeEndpoint)
    if pauses and pauses.holds(attempt.address):
        return fail(ConnectFailed(NO_PORTS))
    connecting = makeEndpoint(reactor, attempt.address).connect(OneProtocolFactory(protocol))
    expired = False

    def expire() -> None:
        nonlocal expired
        expired = True
        connecting.cancel()

    since = attempt.lease.since
    deadline = deadlines.patience(attempt.deadline - since, expire, since)

    def succeeded(connected: IProtocol) -> IProtocol:
        deadline.cancel()
        transport: Any = protocol.transport
        if isinstance(attempt.address, TCPAddress) and isSelfConnected(transport):
            transport.abortConnection()
            raise ConnectFailed(Failure(FailureKind.REFUSED, "connected to itself"))
        return connected

    def failed(reason: TwistedFailure) -> IProtocol:
        deadline.cancel()
        if expired:
            raise ConnectFailed(Failure(FailureKind.TIMEOUT, "no answer in time"))
        if isinstance(reason.value, (ConnectFailed, neterror.ConnectingCancelledError)):
            raise reason.value
        failure = failureFrom(reason, attempt.address)
        if pauses is not None and failure.kind is FailureKind.PORTS:
            pauses.begin(attempt.address)
        raise ConnectFailed(failure)

    return connecting.addCallbacks(succeeded, failed)


def _race(
    reactor: Any,
    deadlines: Deadlines,
    attempt: Attempt,
    protocol: Protocol,
    pauses: PortPauses | None,
    makeEndpoint: Callable[[Any, Address], IStreamClientEndpoint],
) -> Deferred[IProtocol]:
    endpoint = RacingEndpoint(
        reactor,
        deadlines,
        attempt.addresses,
        attempt.dial.limits.connectTimeout,
        attempt.latest,
        pauses,
        makeEndpoint,
    )

    def succeeded(connected: IProtocol) -> IProtocol:
        if endpoint.reached is not None:
            attempt.reached(endpoint.reached)
        return connected

    return endpoint.connect(OneProtocolFactory(protocol)).addCallback(succeeded)
