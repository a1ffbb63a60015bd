"""
The part of a relay that both relays have.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from txlb.model import effectiveTLS
from txlb.pool import Attempt, Dial, Host, Outcome
from txlb.proxy._connectiontable import ConnectionTable
from txlb.proxy._results import Relayed
from txlb.tls import ClientContext, TLSStore


class RelayConnection(Protocol):
    """
    A connection of a relay.

    @ivar dial: the search for its host.
    """

    dial: Dial

    @property
    def waits(self) -> bool:
        """
        Whether it waits until a host has room.
        """
        ...

    def abort(self) -> None:
        """
        Reset the connection, in any state.
        """

    def leaveHost(self, host: Host, outcome: Outcome) -> None:
        """
        Reset the connection if it is at this host. If the host is being connected to, go on
        to the next one; but not if the host is down, because then connecting fails by itself.
        """

    def trackConnection(self) -> None:
        """
        Add the connection to the relay's L{ConnectionTable}, if it has a host and is not in
        it yet.
        """


class BaseRelay:
    """
    The base of both relays: it holds their connections.

    @param ended: is called once with the result of each connection.
    @param table: the table of connections, which all relays of a balancer share; by default
        one of its own.
    @param tls: has the contexts for TLS; by default one of its own.
    """

    def __init__(
        self,
        ended: Callable[[Relayed], object],
        table: ConnectionTable | None = None,
        tls: TLSStore | None = None,
    ) -> None:
        self.ended = ended
        self._tls = TLSStore() if tls is None else tls
        self.table = ConnectionTable() if table is None else table
        self._connections: set[RelayConnection] = set()

    def hostContext(self, attempt: Attempt) -> ClientContext | None:
        """
        Return the context for TLS to the host of an attempt.

        @return: L{None} if no TLS is spoken to it.
        @raise CertificateError: it is made now, and a file has a fault.
        """
        host, group = attempt.lease.host.configured.tls, attempt.dial.pool.settings.tls
        if host is None and group is None:
            return None
        settings = effectiveTLS(host, group)
        return None if settings is None else self._tls.clientContext(settings)

    def finished(self, connection: RelayConnection, result: Relayed) -> None:
        """
        Take the result of a connection that is over. The connection calls this once.
        """
        self._connections.discard(connection)
        self.ended(result)

    @property
    def connections(self) -> Collection[RelayConnection]:
        """
        The connections, which are the relay's.
        """
        return self._connections

    def forget(self, connection: RelayConnection) -> None:
        """
        Have a connection no more, because another process has it.
        """
        self._connections.discard(connection)

    def connectionCount(self) -> int:
        """
        Count the connections.
        """
        return len(self._connections)

    def trackConnections(self) -> None:
        """
        Add the connections that there are to the table, as clients are asked for from now on.
        """
        for connection in tuple(self._connections):
            connection.trackConnection()

    def clientAddrs(self) -> list[object]:
        """
        List the addresses of the clients, one for each connection.
        """
        return [connection.dial.clientAddr for connection in self._connections]

    def abortAll(self) -> None:
        """
        Reset every connection.
        """
        # First the clients that wait, or each end would bring one of them to a host.
        for connection in [each for each in self._connections if each.waits]:
            connection.abort()
        for connection in tuple(self._connections):
            connection.abort()

    def leaveHost(self, host: Host, outcome: Outcome) -> None:
        """
        Let every connection leave a host: see C{RelayConnection.leaveHost}.
        """
        for connection in tuple(self._connections):
            connection.leaveHost(host, outcome)
