"""
The connections of one service that move from one process to its successor.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Protocol

from txlb.connecting._clients import packedClient
from txlb.errors import UnknownName
from txlb.manager import ProxyManager
from txlb.pool import Dial, DialLimits, GaveUp, HostPool, Lease, Step
from txlb.pool._admission import Admission
from txlb.pool._service import ServiceCounters
from txlb.proxy._clientconnection import ClientConnection
from txlb.proxy._connectionlimit import ConnectionLimit
from txlb.proxy._relays import Relays
from txlb.proxy._results import Relayed
from txlb.wire import ChangedConnection, EndState, HostName, MovedConnection, WaitingClient


class MovingConnection(Protocol):
    """
    A connection of a relay, as far as another process takes it over. The fast relay's
    L{txlb.proxy.fast._connection.Connection} documents the methods.
    """

    dial: Dial
    lease: Lease
    begun: bool
    over: bool
    header: bytes
    lastMoved: float

    @property
    def waits(self) -> bool: ...

    @property
    def whyStays(self) -> str: ...

    @property
    def descriptors(self) -> tuple[int, ...]: ...

    @property
    def clientIsUNIX(self) -> bool: ...

    @property
    def isStill(self) -> bool: ...

    @property
    def free(self) -> tuple[int, int]: ...

    @property
    def firstBytes(self) -> tuple[bytes, bytes]: ...

    def states(self, hold: Callable[[bytes], int]) -> tuple[EndState, EndState, tuple[int, ...]]:
        """
        Tell how its ends stand.
        """
        ...

    def become(
        self,
        moved: MovedConnection | ChangedConnection,
        held: Callable[[int, int], bytes],
        pipes: Sequence[int],
    ) -> None:
        """
        Stand as it did in the process before.
        """
        ...

    def register(self) -> None:
        """
        Have the loop watch its sockets.
        """
        ...

    def registerAgain(self) -> None:
        """
        Have the loop tell everything anew.
        """
        ...

    def goOn(self, moved: MovedConnection | ChangedConnection) -> None:
        """
        Serve.
        """
        ...

    def stop(self) -> None:
        """
        Do nothing more.
        """
        ...

    def leave(self) -> None:
        """
        Close the descriptors of this process.
        """
        ...

    def resetCopy(self) -> None:
        """
        Have its sockets send a reset when they are closed.
        """
        ...


class MovingRelay(Protocol):
    """
    A relay whose connections can move.
    """

    ended: Callable[[Relayed], object]

    @property
    def connections(self) -> Collection[Any]: ...

    def forget(self, connection: Any) -> None:
        """
        Have a connection no more.
        """
        ...

    def adopt(
        self, dial: Dial, lease: Lease, moved: MovedConnection, descriptors: Sequence[int]
    ) -> MovingConnection:
        """
        Take over a connection.
        """
        ...


class Moving:
    """
    Gives the connections of one service to another process, and takes such over. Owned by the
    service's frontend.

    @param limits: returns the limits of searches.
    @param ended: is called with the result of a connection.
    """

    def __init__(
        self,
        serviceName: str,
        manager: ProxyManager,
        connectionLimit: ConnectionLimit,
        counters: ServiceCounters,
        admission: Admission,
        relays: Relays,
        limits: Callable[[], DialLimits],
        ended: Callable[[Relayed], object],
    ) -> None:
        self._serviceName = serviceName
        self._manager = manager
        self._connectionLimit = connectionLimit
        self._counters = counters
        self._admission = admission
        self._relays = relays
        self._limits = limits
        self._ended = ended

    # For the process that has them

    @property
    def relays(self) -> list[MovingRelay]:
        """
        The relays that may have connections.
        """
        found: list[Any] = self._relays.all
        return found

    def connections(self) -> Iterator[tuple[MovingRelay, MovingConnection]]:
        """
        Yield each connection with its relay, those that can't move as well.
        """
        for relay in self.relays:
            for connection in relay.connections:
                yield relay, connection

    def gave(self, relay: MovingRelay, connection: MovingConnection) -> None:
        """
        Have a connection no more, because another process has it. Its descriptors are still
        open, see C{leave}.
        """
        connection.stop()
        relay.forget(connection)
        if connection.begun:
            lease: Any = connection.lease
            connection.dial.pool.letGo(lease)
        self._left(connection.dial.clientAddr)

    def _left(self, clientAddr: object) -> None:
        self._counters.active -= 1
        self._connectionLimit.remove()
        if self._admission.counting:
            self._admission.left(packedClient(clientAddr))

    # For the process that takes them over

    def take(
        self, host: HostName, moved: MovedConnection, descriptors: Sequence[int]
    ) -> tuple[MovingRelay, MovingConnection]:
        """
        Take a connection over that has a host.

        @param descriptors: those of its sockets, which are the connection's from here.
        @return: the connection and its relay. It does nothing before C{goOn}.
        """
        # A group that is gone has a pool until its last connection has ended.
        pool = self._manager.claimedPool(self._serviceName, host.group)
        clientAddr = _clientOf(moved.clientAddr)
        lease = pool.readopt(
            host.host, host.address, began=host.began, since=moved.since, clientAddr=clientAddr
        )
        dial = pool.redial(
            clientAddr,
            self._limits(),
            began=moved.began,
            tried=moved.tried,
            connectTime=moved.connectTime,
        )
        self._came(clientAddr)
        relay: Any = self._relays.usual
        connection: MovingConnection = relay.adopt(dial, lease, moved, descriptors)
        return relay, connection

    def _came(self, clientAddr: object) -> None:
        self._counters.active += 1
        self._connectionLimit.active += 1
        self._admission.takeOver(packedClient(clientAddr))

    def _pool(self, group: str) -> HostPool:
        """
        Find the hosts for a client that has none. If there is no such group now, it is the group
        that is enabled.
        """
        try:
            return self._manager.getPool(self._serviceName, group)
        except UnknownName:
            return self._manager.getPool(self._serviceName)

    def takeWaiting(
        self, client: WaitingClient, descriptor: int, held: Callable[[int, int], bytes]
    ) -> None:
        """
        Take a client over that has no host yet. The search for one begins again, with the time
        that is left of it.

        @param descriptor: of its socket.
        @param held: returns held bytes by their place and number.
        """
        pool = self._pool(client.group)
        clientAddr = _clientOf(client.clientAddr)
        header, toHost, toClient = [
            held(at, count) for at, count in (client.header, client.toHost, client.toClient)
        ]
        dial = pool.redial(clientAddr, self._limits(), began=client.began, tried=client.tried)
        self._came(clientAddr)
        step: Step
        if client.waitsUntil is None:
            step = dial.goOn()
        else:
            step = pool.waitAgain(dial, client.waitsUntil)
        if isinstance(step, GaveUp):
            os.close(descriptor)
            self._ended(Relayed(dial, gaveUp=step))
            return
        peer: object = "" if client.clientIsUNIX else clientAddr
        listener = self._manager.getService(self._serviceName).listeners[0]
        accepted = ClientConnection(descriptor, peer, listener)
        self._relays.of(accepted).start(accepted, step, toHost, toClient, header)


def _clientOf(told: Any) -> object:
    return tuple(told) if isinstance(told, list) else told
