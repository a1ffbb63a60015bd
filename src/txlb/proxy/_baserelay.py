"""
The connections that a relay has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from txlb.pool import Dial, Host, Outcome
from txlb.proxy._connectiontable import ConnectionTable
from txlb.proxy._results import Relayed


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
        Reset it, in whatever state it is.
        """

    def leaveHost(self, host: Host, outcome: Outcome) -> None:
        """
        Where it is at this host, be reset. Where it is only being connected to
        it, go on to the next, but for a host that has gone down: of that
        connecting tells by itself.
        """

    def trackConnection(self) -> None:
        """
        Be noted in the relay's L{ConnectionTable}, where it has a host and is not yet.
        """


class BaseRelay:
    """
    What every relay does with its connections: the base of both.

    @param ended: is called once with the result of each connection.
    @param table: where connections note themselves if somebody asks for them;
        L{None} where nobody does.
    """

    def __init__(
        self, ended: Callable[[Relayed], object], table: ConnectionTable | None = None
    ) -> None:
        self.ended = ended
        self.table = ConnectionTable() if table is None else table
        self._connections: set[RelayConnection] = set()

    def finished(self, connection: RelayConnection, result: Relayed) -> None:
        """
        A connection is over; it calls this once.
        """
        self._connections.discard(connection)
        self.ended(result)

    def connectionCount(self) -> int:
        """
        Count the connections.
        """
        return len(self._connections)

    def trackConnections(self) -> None:
        """
        Somebody asks for connections from now on: note those that there are.
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
        # First those that wait, or each end would bring one of them to a host.
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
