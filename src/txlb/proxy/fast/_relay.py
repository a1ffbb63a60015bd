"""
The fast relay.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IReactorFDSet
from zope.interface import implementer

from txlb.interfaces import IRelay
from txlb.proxy._baserelay import BaseRelay
from txlb.proxy._connectiontable import ConnectionTable
from txlb.proxy._results import Relayed, Timeouts
from txlb.proxy.fast._connection import Connection
from txlb.proxy.fast._firstbytes import FirstBytes
from txlb.proxy.fast._targets import Targets
from txlb.tls import TLSStore

if TYPE_CHECKING:
    from txlb.pool import Attempt, Dial, Lease, Waiting
    from txlb.proxy._clientconnection import ClientConnection
    from txlb.proxy.fast._loop import Loop
    from txlb.wire import MovedConnection


def whyNot(reactor: Any) -> str | None:
    """
    Say why the fast relay can't be used under a reactor.

    @return: the reason; L{None} if it can be used.
    """
    if not hasattr(select, "epoll"):
        return "this system has no epoll"
    if not IReactorFDSet.providedBy(reactor):
        return "this reactor can't watch a descriptor"
    return None


@implementer(IRelay)
class FastRelay(BaseRelay):
    """
    The relay of one service that works through a loop.

    @param loop: the loop that handles the events.
    @param timeouts: the times after which a silent connection is ended.
    @param ended: is called once with the result of each connection.
    @param table: the table of connections, which all relays of a balancer share.
    @param tls: has the contexts for TLS; by default one of its own.
    """

    name = "fast"

    def __init__(
        self,
        loop: Loop,
        timeouts: Timeouts,
        ended: Callable[[Relayed], object],
        table: ConnectionTable | None = None,
        tls: TLSStore | None = None,
    ) -> None:
        super().__init__(ended, table, tls)
        self.loop = loop
        self.timeouts = timeouts
        self.targets = Targets(loop.seconds)

    def start(
        self,
        client: ClientConnection,
        attempt: Attempt | Waiting,
        toHost: bytes = b"",
        toClient: bytes = b"",
        header: bytes = b"",
    ) -> None:
        first = FirstBytes(toHost, toClient) if toHost or toClient else None
        connection = Connection(
            self,
            client.fd,
            attempt.dial,
            first,
            not isinstance(client.peer, tuple),
            header,
            client.secured,
        )
        self._connections.add(connection)
        search = connection.search
        assert search is not None  # noqa: S101 - it has just been made
        try:
            search.run(attempt)
        except Exception:
            connection.breakDown()
            raise

    def adopt(
        self, dial: Dial, lease: Lease, moved: MovedConnection, descriptors: Sequence[int]
    ) -> Connection:
        """
        Take over a connection that another process has served until now. See
        L{Connection.adopt}.
        """
        connection = Connection.adopt(self, dial, lease, moved, descriptors)
        self._connections.add(connection)
        return connection
