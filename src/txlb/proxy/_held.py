"""
The connections that a relay has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from txlb.proxy._results import Relayed


class Held(Protocol):
    """
    A connection of a relay.
    """

    def abort(self) -> None:
        """
        Reset it, in whatever state it is.
        """


class Holder:
    """
    What every relay does with its connections: the base of both.

    @param ended: is called once with the result of each connection.
    """

    def __init__(self, ended: Callable[[Relayed], object]) -> None:
        self.ended = ended
        self._connections: set[Held] = set()

    def finished(self, connection: Held, result: Relayed) -> None:
        """
        A connection is over; it calls this once.
        """
        self._connections.discard(connection)
        self.ended(result)

    def connectionCount(self) -> int:
        """
        See L{txlb.interfaces.IRelay.connectionCount}.
        """
        return len(self._connections)

    def abortAll(self) -> None:
        """
        See L{txlb.interfaces.IRelay.abortAll}.
        """
        for connection in tuple(self._connections):
            connection.abort()
