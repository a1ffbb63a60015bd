"""
Connecting to a host with Twisted's endpoints.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from twisted.internet import error as neterror
from twisted.internet.address import UNIXAddress as UNIXSocketAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
)
from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    ITransport,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure as TwistedFailure
from zope.interface import implementer

from txlb.connecting._errors import failureOf
from txlb.connecting._sockets import familyAndName
from txlb.errors import TxlbError
from txlb.model import Address, TCPAddress, UNIXAddress
from txlb.pool import Failure, FailureKind


def failureFrom(reason: TwistedFailure, address: Address | None = None) -> Failure:
    """
    Make the failure that Twisted's reason for not connecting means.

    @param address: the address that was connected to, if it is known.
    """
    value = reason.value
    number = getattr(value, "osError", None)
    if not isinstance(number, int):
        # A socket that could not be made is an OSError as it is.
        number = getattr(value, "errno", None)
    if isinstance(number, int) and number in errno.errorcode:
        return failureOf(number, address)
    if isinstance(value, neterror.TimeoutError):
        return Failure(FailureKind.TIMEOUT, "no answer in time")
    return Failure(FailureKind.UNREACHABLE, reason.getErrorMessage())


class OneProtocolFactory(Factory):
    """
    A factory of the one protocol that it was made with. It writes no line into the log for
    each connection.
    """

    noisy = False

    def __init__(self, protocol: Protocol) -> None:
        self._only = protocol

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return self._only


class ConnectFailed(TxlbError):
    """
    An error that says that a host could not be reached.

    @ivar failure: the reason.
    """

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(str(failure))


@implementer(IStreamClientEndpoint)
class UNIXEndpoint:
    """
    An endpoint for a stream socket in the file system. Connecting to one takes no time. It
    succeeds or fails at once. If the backlog is full it fails with C{EAGAIN}, and no event
    follows; Twisted's own endpoint waits for one.
    """

    def __init__(self, reactor: Any, path: str) -> None:
        self._reactor = reactor
        self._path = path

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.setblocking(False)
                sock.connect(self._path)
                protocol: Any = protocolFactory.buildProtocol(UNIXSocketAddress(self._path))
                # The reactor copies the descriptor; the original is closed here.
                self._reactor.adoptStreamConnection(
                    sock.fileno(), socket.AF_UNIX, OneProtocolFactory(protocol)
                )
        except OSError as error:
            return fail(ConnectFailed(failureOf(error.errno or 0, UNIXAddress(self._path))))
        return succeed(protocol)


@implementer(IStreamClientEndpoint)
class ZonedEndpoint:
    """
    An endpoint for a link-local address of IPv6, which has a zone. It looks for the interface
    each time, because an interface that goes and comes back may have another number.
    """

    def __init__(self, reactor: Any, address: TCPAddress) -> None:
        self._reactor = reactor
        self._address = address

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        try:
            host, port, _, interface = familyAndName(self._address)[1]
        except OSError as error:
            return fail(ConnectFailed(failureOf(error.errno or 0, self._address)))
        make: Any = TCP6ClientEndpoint
        endpoint = make(self._reactor, f"{host}%{interface}", port, timeout=None)
        connecting: Deferred[IProtocol] = endpoint.connect(protocolFactory)
        return connecting


def endpointOf(reactor: Any, address: Address) -> IStreamClientEndpoint:
    """
    Make the endpoint for an address that needs no look-up.
    """
    if isinstance(address, UNIXAddress):
        return UNIXEndpoint(reactor, address.path)
    if "%" in address.host:
        return ZonedEndpoint(reactor, address)
    make: Any = TCP6ClientEndpoint if ":" in address.host else TCP4ClientEndpoint
    # Without its own timeout, which would go by the wall clock.
    endpoint: IStreamClientEndpoint = make(reactor, address.host, address.port, timeout=None)
    return endpoint


def isSelfConnected(transport: ITransport) -> bool:
    """
    Say whether a transport is connected to itself. The system may give a socket that
    connects to a port of this machine, on which no program listens, that port as its own.
    """
    return bool(transport.getHost() == transport.getPeer())


def reactorEndpointOf(reactor: Any, address: Address) -> IStreamClientEndpoint:
    """
    Make one of Twisted's endpoints for an address that needs no look-up. It opens no socket
    itself: the reactor does, by C{connectTCP} and C{connectUNIX}.
    """
    endpoint: IStreamClientEndpoint
    if isinstance(address, UNIXAddress):
        endpoint = UNIXClientEndpoint(reactor, address.path, timeout=None)
    else:
        make: Any = TCP6ClientEndpoint if ":" in address.host else TCP4ClientEndpoint
        endpoint = make(reactor, address.host, address.port, timeout=None)
    return endpoint
