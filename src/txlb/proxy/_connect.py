"""
Connecting to a host with Twisted's endpoints.
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.internet import error as neterror
from twisted.internet.address import UNIXAddress as UNIXSocketAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
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

from txlb.deadlines import Deadlines
from txlb.errors import TxlbError
from txlb.model import Address, TCPAddress, UNIXAddress
from txlb.pool import Attempt, Failure, FailureKind

#: What these errors of the system mean for a search.
_KINDS = {
    errno.ECONNREFUSED: FailureKind.REFUSED,
    errno.ECONNRESET: FailureKind.REFUSED,
    errno.ENOENT: FailureKind.REFUSED,
    errno.ETIMEDOUT: FailureKind.TIMEOUT,
    errno.EAGAIN: FailureKind.BUSY,
    errno.EMFILE: FailureKind.LOCAL,
    errno.ENFILE: FailureKind.LOCAL,
    errno.EADDRNOTAVAIL: FailureKind.LOCAL,
    errno.ENOBUFS: FailureKind.LOCAL,
    errno.ENOMEM: FailureKind.LOCAL,
}


def failureOf(number: int) -> Failure:
    """
    What an error number of connect means.
    """
    kind = _KINDS.get(number, FailureKind.UNREACHABLE)
    return Failure(kind, os.strerror(number))


def failureFrom(reason: TwistedFailure) -> Failure:
    """
    What Twisted's reason for not connecting means.
    """
    value = reason.value
    number = getattr(value, "osError", None)
    if isinstance(number, int) and number in errno.errorcode:
        return failureOf(number)
    if isinstance(value, neterror.TimeoutError):
        return Failure(FailureKind.TIMEOUT, "no answer in time")
    return Failure(FailureKind.UNREACHABLE, reason.getErrorMessage())


class OneProtocolFactory(Factory):
    """
    Gives away the one protocol that it was made with, without a line in the log
    for each connection.
    """

    noisy = False

    def __init__(self, protocol: Protocol) -> None:
        self._only = protocol

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """
        See L{IProtocolFactory.buildProtocol}.
        """
        return self._only


class ConnectFailed(TxlbError):
    """
    A host could not be reached.

    @ivar failure: why.
    """

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(str(failure))


@implementer(IStreamClientEndpoint)
class UNIXEndpoint:
    """
    A stream socket in the file system. Connecting to one never takes time: it
    succeeds or fails at once, with EAGAIN where the backlog is full, after
    which no event would follow. Twisted's own endpoint waits for one.
    """

    def __init__(self, reactor: Any, path: str) -> None:
        self._reactor = reactor
        self._path = path

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        See L{IStreamClientEndpoint.connect}.
        """
        protocol: Any = protocolFactory.buildProtocol(UNIXSocketAddress(self._path))
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.setblocking(False)
                sock.connect(self._path)
                # It takes a copy of the descriptor; ours is closed here.
                self._reactor.adoptStreamConnection(
                    sock.fileno(), socket.AF_UNIX, OneProtocolFactory(protocol)
                )
        except OSError as error:
            return fail(ConnectFailed(failureOf(error.errno or 0)))
        return succeed(protocol)


def endpointOf(reactor: Any, address: Address) -> IStreamClientEndpoint:
    """
    The endpoint for an address that needs no look-up.
    """
    if isinstance(address, UNIXAddress):
        return UNIXEndpoint(reactor, address.path)
    make: Any = TCP6ClientEndpoint if ":" in address.host else TCP4ClientEndpoint
    # No timeout of its own, which would go by the wall clock.
    endpoint: IStreamClientEndpoint = make(reactor, address.host, address.port, timeout=None)
    return endpoint


def connectTo(
    reactor: Any, deadlines: Deadlines, attempt: Attempt, protocol: Protocol
) -> Deferred[IProtocol]:
    """
    Connect a protocol to the host of an attempt before its deadline.

    @return: fires with the protocol once it is connected. It fails with
        L{ConnectFailed} where the host can't be reached, and with whatever
        the endpoint says where it is cancelled.
    """
    connecting = endpointOf(reactor, attempt.address).connect(OneProtocolFactory(protocol))
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
        if isinstance(attempt.address, TCPAddress) and _isSelfConnected(transport):
            transport.abortConnection()
            raise ConnectFailed(Failure(FailureKind.REFUSED, "connected to itself"))
        return connected

    def failed(reason: TwistedFailure) -> IProtocol:
        deadline.cancel()
        if expired:
            raise ConnectFailed(Failure(FailureKind.TIMEOUT, "no answer in time"))
        if isinstance(reason.value, (ConnectFailed, neterror.ConnectingCancelledError)):
            raise reason.value
        raise ConnectFailed(failureFrom(reason))

    return connecting.addCallbacks(succeeded, failed)


def _isSelfConnected(transport: ITransport) -> bool:
    """
    A socket that connects to a dead port of its own machine can be given that
    very port, and is then connected to itself.
    """
    return bool(transport.getHost() == transport.getPeer())
