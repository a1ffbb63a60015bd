"""
The endpoint that balances.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from txlb._reactor import pickedReactor
from txlb.connecting import ConnectFailed
from txlb.endpoints._attempts import attemptFrom
from txlb.endpoints._hostendpoint import hostEndpoint
from txlb.endpoints._leasedconnection import LeasedConnection
from txlb.endpoints._upkeep import PoolUpkeep
from txlb.model import Address
from txlb.pool import Attempt, DialLimits, HostPool
from txlb.proxy import connectTo


@implementer(IStreamClientEndpoint)
class PoolEndpoint:
    """
    An endpoint whose connections go to the hosts of a pool. If a host can't be reached, the
    connection goes to the next one. The host counts as busy for as long as the connection
    is open. If the host has to be left (it is removed by force, or its time to drain is
    over), the connection is reset::

        pool = HostPool("leastc", [ProxyHost.at("a", "10.0.0.1:5672"), ...])
        connecting = PoolEndpoint(pool).connect(Factory.forProtocol(Client))

    While it connects and while its connections are open, the endpoint advances the pool,
    unless a balancer does.

    @param pool: the pool, which may have other users.
    @param reactor: L{None} for the global one.
    @param limits: how long and how often to try; by default those of L{DialLimits}.
    @param clientAddr: what policies with affinity, such as C{sticky}, choose by.
    @param makeEndpoint: makes the endpoint for the address of a host, from the reactor and
        the address. By default it is one of Twisted's for TCP or a UNIX socket.
    """

    def __init__(
        self,
        pool: HostPool,
        reactor: Any = None,
        limits: DialLimits | None = None,
        *,
        clientAddr: object = None,
        makeEndpoint: Callable[[Any, Address], IStreamClientEndpoint] = hostEndpoint,
    ) -> None:
        self.pool = pool
        self._reactor = reactor
        self._limits = limits
        self._clientAddr = clientAddr
        self._makeEndpoint = makeEndpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect to a host of the pool.

        @return: fires with the protocol. It fails with L{NoHostAvailable} if no host could be
            reached; with C{NoProtocol} if the factory makes no protocol; with the error
            that the factory raises; and with C{ConnectingCancelledError} or
            C{CancelledError} if it is cancelled.
        """
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        upkeep = PoolUpkeep.of(self.pool, pickedReactor(self._reactor))
        try:
            attempt = await attemptFrom(self.pool.dial(self._clientAddr, self._limits).start())
            while True:
                connection = LeasedConnection(upkeep)
                try:
                    await self._reach(upkeep, attempt, connection)
                except ConnectFailed as error:
                    attempt = await attemptFrom(attempt.failed(error.failure))
                except BaseException:
                    attempt.cancel()
                    raise
                else:
                    return connection.begin(factory, attempt.connected())
        finally:
            upkeep.release()

    def _reach(
        self, upkeep: PoolUpkeep, attempt: Attempt, connection: LeasedConnection
    ) -> Deferred[IProtocol]:
        return connectTo(
            pickedReactor(self._reactor),
            upkeep.deadlines,
            attempt,
            connection,
            makeEndpoint=self._makeEndpoint,
        )
