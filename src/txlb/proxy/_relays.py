"""
The relays of one service.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint

from txlb.deadlines import Deadlines
from txlb.interfaces import IRelay
from txlb.model import Address
from txlb.pool import Host, Outcome
from txlb.proxy._clientconnection import ClientConnection
from txlb.proxy._connectiontable import ConnectionTable
from txlb.proxy._handshakes import HandshakeUnderWay
from txlb.proxy._portablehandshake import PortableHandshake
from txlb.proxy._portablerelay import PortableRelay
from txlb.proxy._results import Relayed, Timeouts
from txlb.proxy._stepqueue import StepQueue
from txlb.proxy.fast import FastRelay, Loop, whyNotTLS
from txlb.proxy.fast._clienthandshake import ClientHandshake
from txlb.tls import ServerContexts, TLSStore


class Relays:
    """
    The relays of one service, of which each connection gets one. Owned by its frontend.

    There is at most one of each kind. A relay that new connections don't use any more may
    still have older ones.

    @param ended: is called once with the result of each connection.
    @param table: the table of connections, which all relays of a balancer share.
    @param makeEndpoint: makes the endpoints by which the portable relay connects; by
        default its own.
    @param tls: has the contexts for TLS; by default one of its own.

    @ivar byName: the relays that were made, by their names.
    @ivar usual: the relay of a connection for which nothing else is decided.
    """

    usual: IRelay

    def __init__(
        self,
        reactor: Any,
        deadlines: Deadlines,
        ended: Callable[[Relayed], object],
        table: ConnectionTable | None = None,
        makeEndpoint: Callable[[Any, Address], IStreamClientEndpoint] | None = None,
        tls: TLSStore | None = None,
    ) -> None:
        self._tls = TLSStore() if tls is None else tls
        self._reactor = reactor
        self._deadlines = deadlines
        self._ended = ended
        self._table = table
        self._makeEndpoint = makeEndpoint
        self._timeouts = Timeouts()
        self.byName: dict[str, FastRelay | PortableRelay] = {}
        self._steps = StepQueue(deadlines)
        self._loop: Loop | None = None

    def configure(self, loop: Loop | None, timeouts: Timeouts) -> None:
        """
        Serve new connections in this way. The timeouts hold for all connections.

        @param loop: where the fast relay runs; L{None} for the portable one.
        """
        self._timeouts = timeouts
        self._loop = loop
        for each in self.byName.values():
            each.timeouts = timeouts
        self.usual = self.portable if loop is None else self._fastOn(loop)

    def _fastOn(self, loop: Loop) -> FastRelay | PortableRelay:
        if FastRelay.name not in self.byName:
            relay = FastRelay(loop, self._timeouts, self._ended, self._table, self._tls)
            self.byName[relay.name] = relay
        return self.byName[FastRelay.name]

    @property
    def portable(self) -> FastRelay | PortableRelay:
        """
        The portable relay, which is made when it is wanted for the first time.
        """
        if PortableRelay.name not in self.byName:
            relay = PortableRelay(
                self._reactor,
                self._deadlines,
                self._timeouts,
                self._ended,
                self._table,
                self._tls,
            )
            if self._makeEndpoint is not None:
                relay.makeEndpoint = self._makeEndpoint
            self.byName[relay.name] = relay
        return self.byName[PortableRelay.name]

    def of(self, client: ClientConnection) -> IRelay:
        """
        Choose the relay of a connection. A client that the reactor has accepted has no
        descriptor for the fast relay.
        """
        if client.secured is not None and self.usual.name != FastRelay.name:
            # The service was given another relay during the handshake.
            return self.byName[FastRelay.name]
        return self.usual if client.accepted is None else self.portable

    def handshake(
        self,
        client: ClientConnection,
        contexts: ServerContexts,
        done: Callable[[], None],
        failed: Callable[[str], None],
    ) -> HandshakeUnderWay:
        """
        Begin the TLS handshake of a client, for the relay that it will have.

        @param client: the connection. Its socket belongs to the handshake from here.
        @param contexts: the contexts of its listener.
        @param done: is called when it is done; the client can be given to L{of} then.
        @param failed: is called with the reason if it has failed; the connection is closed.
        """
        inThread = partial(self._tls.slowSteps.run, self._reactor)
        if self._loop is not None and client.accepted is None and whyNotTLS() is None:
            inLoop = ClientHandshake(self._loop, client, contexts, done, failed, inThread)
            inLoop.start()
            return inLoop
        handshake = PortableHandshake(
            client, contexts, self._reactor, self._steps, done, failed, inThread
        )
        handshake.start()
        return handshake

    @property
    def all(self) -> list[IRelay]:
        """
        All relays that may have connections.
        """
        relays: dict[int, IRelay] = {id(each): each for each in self.byName.values()}
        relays[id(self.usual)] = self.usual
        return list(relays.values())

    def connectionCount(self) -> int:
        """
        Count the connections.
        """
        return sum(each.connectionCount() for each in self.all)

    def clientAddrs(self) -> list[object]:
        """
        List the addresses of the clients, one for each connection.
        """
        return [clientAddr for relay in self.all for clientAddr in relay.clientAddrs()]

    def leaveHost(self, host: Host, outcome: Outcome) -> None:
        """
        Reset the connections that a host has. See L{IRelay.leaveHost}.
        """
        for relay in self.all:
            relay.leaveHost(host, outcome)

    def trackConnections(self) -> None:
        """
        Track the connections to hosts. See L{IRelay.trackConnections}.
        """
        for relay in self.all:
            relay.trackConnections()

    def abortAll(self) -> None:
        """
        Reset every connection.
        """
        for relay in self.all:
            relay.abortAll()
