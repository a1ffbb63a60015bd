"""
An endpoint for a host that has several addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure as TwistedFailure
from zope.interface import implementer

from txlb.connecting._endpoint import ConnectFailed, endpointOf, failureFrom, isSelfConnected
from txlb.connecting._errors import NO_PORTS
from txlb.connecting._pauses import PortPauses
from txlb.connecting._race import Race
from txlb.deadlines import Deadlines
from txlb.model import Address, TCPAddress
from txlb.pool import Failure, FailureKind


@implementer(IStreamClientEndpoint)
class RacingEndpoint:
    """
    An endpoint for all addresses of a host: it connects to the address that answers first.
    It connects once.

    @param reactor: connects.
    @param deadlines: where timeouts wait.
    @param addresses: the addresses, the preferred one first; none needs a look-up.
    @param timeout: seconds that each address has.
    @param latest: until when all of it may last, in seconds of the monotonic clock.
    @param pauses: the addresses that are not tried for lack of local ports.
    @param makeEndpoint: makes the endpoint for an address; by default one of Twisted's.

    @ivar reached: the address that was reached; L{None} before.
    """

    def __init__(
        self,
        reactor: Any,
        deadlines: Deadlines,
        addresses: Sequence[Address],
        timeout: float,
        latest: float,
        pauses: PortPauses | None = None,
        makeEndpoint: Callable[[Any, Address], IStreamClientEndpoint] = endpointOf,
    ) -> None:
        self._makeEndpoint = makeEndpoint
        self.reached: Address | None = None
        self._reactor = reactor
        self._pauses = pauses
        self._race = Race(self, deadlines, addresses, timeout, latest)
        self._connecting: dict[Address, Deferred[Any]] = {}
        # The failure of an address that failed while start() ran.
        self._failure: Failure | None = None
        self._starting = False
        self._factory: _FirstOnly
        self._done: Deferred[IProtocol]

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect to the address that answers first.

        @return: fires with the protocol. It fails with L{ConnectFailed}, or with
            C{CancelledError} if it is cancelled.
        """
        self._factory = _FirstOnly(protocolFactory)
        self._done = Deferred(lambda _: self._race.end())
        failure = self._race.begin()
        if failure is not None:
            self.lost(failure)
        return self._done

    # For the race

    def start(self, address: Address) -> Failure | None:
        if self._pauses and self._pauses.holds(address):
            return NO_PORTS
        self._failure = None
        self._starting = True
        connecting = self._makeEndpoint(self._reactor, address).connect(self._factory)
        self._connecting[address] = connecting
        connecting.addCallbacks(
            self._connected, self._failed, callbackArgs=(address,), errbackArgs=(address,)
        )
        self._starting = False
        return self._failure

    def stop(self, address: Address) -> None:
        self._connecting.pop(address).cancel()

    def lost(self, failure: Failure) -> None:
        self._done.errback(ConnectFailed(failure))

    def _connected(self, protocol: Any, address: Address) -> None:
        self._connecting.pop(address, None)
        self._race.won(address)
        if isinstance(address, TCPAddress) and isSelfConnected(protocol.transport):
            # The factory's one protocol is used up.
            protocol.transport.abortConnection()
            self.lost(Failure(FailureKind.REFUSED, "connected to itself"))
            return
        self.reached = address
        self._done.callback(protocol)

    def _failed(self, reason: TwistedFailure, address: Address) -> None:
        if address not in self._connecting:
            # The race has stopped it.
            return
        del self._connecting[address]
        value = reason.value
        known = value.failure if isinstance(value, ConnectFailed) else None
        failure = failureFrom(reason, address) if known is None else known
        if self._pauses is not None and failure.kind is FailureKind.PORTS:
            self._pauses.begin(address)
        if self._starting:
            self._failure = failure
        else:
            self._race.failed(address, failure)


class _FirstOnly(Factory):
    """
    A factory that builds a protocol for the first connection only.
    """

    noisy = False

    def __init__(self, factory: Any) -> None:
        self._factory = factory

    def buildProtocol(self, addr: IAddress | None) -> Any:
        factory, self._factory = self._factory, None
        return None if factory is None else factory.buildProtocol(addr)
