"""
A connection that is the claim on its host.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, NoProtocol
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IProtocol,
    IProtocolFactory,
    ITransport,
)
from twisted.internet.protocol import Protocol
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer, providedBy

from txlb.endpoints._upkeep import PoolUpkeep
from txlb.pool import Lease, Outcome


@implementer(IHalfCloseableProtocol)
class LeasedConnection(ProtocolWrapper):
    """
    The transport of a client's protocol, and the protocol of the real transport. It counts
    the bytes, and releases the lease when the connection ends.

    The client's protocol is made when the host was reached: a connection that fails
    before that is tried again at another host.

    @param upkeep: knows the connections that are open.
    """

    def __init__(self, upkeep: PoolUpkeep) -> None:
        self._upkeep = upkeep
        self._lease: Lease | None = None
        self._factory: IProtocolFactory | None = None
        self._outcome: Outcome | None = None
        self.wrappedProtocol: Any = None

    def makeConnection(self, transport: ITransport) -> None:
        """
        Keep the transport; L{begin} connects the client's protocol.
        """
        directlyProvides(self, providedBy(transport), IHalfCloseableProtocol)
        Protocol.makeConnection(self, transport)

    def begin(self, factory: IProtocolFactory, lease: Lease) -> IProtocol:
        """
        Make and connect the client's protocol.

        @return: the protocol.
        @raise NoProtocol: the factory makes none. After this or an error of the factory's
            own the lease is released and the connection is aborted.
        """
        transport: Any = self.transport
        try:
            protocol = factory.buildProtocol(transport.getPeer())
            if protocol is None:
                raise NoProtocol  # noqa: TRY301 - it ends like an error of the factory's
        except BaseException:
            lease.release(Outcome.CLIENT_GONE)
            transport.abortConnection()
            raise
        self.wrappedProtocol = protocol
        self._lease, self._factory = lease, factory
        self._upkeep.add(self, lease.host, self._end)
        factory.doStart()
        itself: Any = self  # which provides what the transport does
        protocol.makeConnection(itself)
        return protocol

    def write(self, data: bytes) -> None:
        """
        Write to the host, and count the bytes.
        """
        if self._lease is not None:
            self._lease.addIn(len(data))
        super().write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """
        Write to the host, and count the bytes.
        """
        self.write(b"".join(data))

    def dataReceived(self, data: bytes) -> None:
        """
        Count the bytes of the host, and pass them on.
        """
        if self._lease is not None:
            self._lease.addOut(len(data))
            super().dataReceived(data)

    def readConnectionLost(self) -> None:
        """
        Tell the client's protocol that the host has finished sending, or close the
        connection if the protocol does not ask for that.
        """
        if IHalfCloseableProtocol.providedBy(self.wrappedProtocol):
            self.wrappedProtocol.readConnectionLost()
        else:
            self.loseConnection()

    def writeConnectionLost(self) -> None:
        """
        Tell the client's protocol that the host takes no more.
        """
        if IHalfCloseableProtocol.providedBy(self.wrappedProtocol):
            self.wrappedProtocol.writeConnectionLost()

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008 - as in Twisted
        """
        Release the lease, and tell the client's protocol.
        """
        lease, factory = self._lease, self._factory
        if lease is None or factory is None:
            return
        self._lease = self._factory = None
        self._upkeep.remove(self)
        lease.hostFirst = not self.disconnecting
        lease.release(self._outcome or _outcomeOf(reason))
        protocol, self.wrappedProtocol = self.wrappedProtocol, None
        protocol.connectionLost(reason)
        factory.doStop()

    def _end(self, outcome: Outcome) -> None:
        """
        Reset the connection, as the host has to be left.
        """
        self._outcome = outcome
        transport: Any = self.transport
        transport.abortConnection()


def _outcomeOf(reason: Failure) -> Outcome:
    if reason.check(ConnectionDone):
        return Outcome.DONE
    return Outcome.CLIENT_RESET if reason.check(ConnectionAborted) else Outcome.HOST_RESET
