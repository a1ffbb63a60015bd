"""
The portable relay.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import implementer

from txlb.connecting import PortPauses
from txlb.deadlines import Deadlines
from txlb.interfaces import IRelay
from txlb.model import Address
from txlb.pool import Attempt, Dial, Lease, Waiting
from txlb.proxy._acceptedclient import AcceptedClient
from txlb.proxy._baserelay import BaseRelay
from txlb.proxy._clientconnection import ClientConnection
from txlb.proxy._connectiontable import ConnectionTable
from txlb.proxy._portableconnection import PortableConnection
from txlb.proxy._results import Relayed, Timeouts
from txlb.proxy._socketendpoint import SocketEndpoint
from txlb.proxy._stepqueue import StepQueue
from txlb.tls import TLSStore
from txlb.wire import MovedConnection


@implementer(IRelay)
class PortableRelay(BaseRelay):
    """
    The relay of one service that is made of transports and protocols. It works under any
    reactor that watches descriptors.

    @param reactor: connects, and watches the sockets.
    @param deadlines: where timeouts wait.
    @param timeouts: the times after which a silent connection is ended.
    @param ended: is called once with the result of each connection.
    @param table: the table of connections, which all relays of a balancer share.
    @param tls: has the contexts for TLS; by default one of its own.
    """

    name = "portable"

    #: Makes the endpoint for the reactor and an address.
    makeEndpoint: Callable[[Any, Address], IStreamClientEndpoint] = SocketEndpoint

    def __init__(
        self,
        reactor: Any,
        deadlines: Deadlines,
        timeouts: Timeouts,
        ended: Callable[[Relayed], object],
        table: ConnectionTable | None = None,
        tls: TLSStore | None = None,
    ) -> None:
        super().__init__(ended, table, tls)
        self.steps = StepQueue(deadlines)
        self.reactor = reactor
        self.deadlines = deadlines
        self.timeouts = timeouts
        self.pauses = PortPauses(deadlines.seconds)

    def start(
        self,
        client: ClientConnection,
        attempt: Attempt | Waiting,
        toHost: bytes = b"",
        toClient: bytes = b"",
        header: bytes = b"",
    ) -> None:
        end: socket.socket | AcceptedClient
        if client.accepted is not None:
            end = client.accepted
        else:
            end = socket.socket(fileno=client.fd)
            end.setblocking(False)
        connection = PortableConnection(self, end, attempt.dial, toHost, toClient, header)
        self._connections.add(connection)
        connection.search(attempt)

    def adopt(
        self, dial: Dial, lease: Lease, moved: MovedConnection, descriptors: Sequence[int]
    ) -> PortableConnection:
        """
        Take over a connection that another process has served until now. See
        L{PortableConnection.adopt}.
        """
        connection = PortableConnection.adopt(self, dial, lease, moved, descriptors)
        self._connections.add(connection)
        return connection
