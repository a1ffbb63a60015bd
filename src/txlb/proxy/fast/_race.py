"""
The race between the addresses of a host that has several.
"""

from __future__ import annotations

import _socket
import errno
import select
import socket
from typing import TYPE_CHECKING, Protocol

from txlb.connecting import RESET_SINCE, Race
from txlb.pool import Attempt, Failure, FailureKind
from txlb.proxy.fast._targets import Target, isSelfConnected

if TYPE_CHECKING:
    from txlb.model import Address
    from txlb.proxy._connectiontable import TrackedConnection
    from txlb.proxy.fast._loop import Loop
    from txlb.proxy.fast._targets import Targets

FAILED = select.EPOLLERR | select.EPOLLHUP

#: The results of connect(2) after which connecting goes on.
UNDER_WAY = frozenset({0, errno.EINPROGRESS})

CONNECTED_TO_ITSELF = Failure(FailureKind.REFUSED, "connected to itself")


class RaceOwner(Protocol):
    """
    The owner of a race: the search of a client.
    """

    @property
    def loop(self) -> Loop: ...

    @property
    def targets(self) -> Targets: ...

    @property
    def tracking(self) -> bool: ...

    def track(self, sock: _socket.socket, address: Address) -> TrackedConnection | None:
        """
        Add a connection to the table.
        """

    def untrack(self, tracked: TrackedConnection) -> None:
        """
        Remove a connection from the table.
        """

    def raceWon(
        self, attempt: Attempt, sock: _socket.socket, event: int, tracked: TrackedConnection | None
    ) -> None:
        """
        Take the connection to the address that was reached. The race is over.
        """

    def raceLost(self, attempt: Attempt, failure: Failure) -> None:
        """
        Take the failure of all addresses. The race is over.
        """

    def hostBroke(self) -> None:
        """
        Take note that the host that was reached has reset the connection since.
        """

    def breakDown(self) -> None:
        """
        End the connection, as a handler of the race raised.
        """


class AddressConnection:
    """
    A connection to one address. Owned by its race, until it wins.

    @ivar target: the way to connect to the address.
    @ivar sock: the socket.
    @ivar tracked: its entry in the table of connections; L{None} for none.
    """

    __slots__ = ("_race", "sock", "target", "tracked")

    def __init__(self, race: AddressRace, target: Target, sock: _socket.socket) -> None:
        self._race = race
        self.target = target
        self.sock = sock
        self.tracked: TrackedConnection | None = None

    def event(self, event: int) -> None:
        """
        Take the loop's event.
        """
        self._race.told(self, event)

    def breakDown(self) -> None:
        """
        End the connection, as one of its handlers raised.
        """
        self._race.search.breakDown()


class AddressRace:
    """
    The connections to a host's addresses, of which the first established one is used.
    Owned by the client's search. A client whose host has one address never has it.

    @ivar search: the search.
    """

    __slots__ = ("_attempt", "_connections", "_race", "search")

    def __init__(self, search: RaceOwner, attempt: Attempt) -> None:
        self.search = search
        self._attempt = attempt
        self._connections: dict[Address, AddressConnection] = {}
        latest = attempt.latest
        self._race = Race(
            self,
            search.loop.deadlines,
            attempt.addresses,
            attempt.dial.limits.connectTimeout,
            latest,
        )
        # The race itself keeps the times of the single addresses.
        attempt.deadline = latest

    def join(self, target: Target, sock: _socket.socket, tracked: TrackedConnection | None) -> None:
        """
        Begin, with a first address that is being connected to already.
        """
        connection = self._watch(target, sock)
        connection.tracked = tracked
        self._race.begin(begun=True)

    def goOn(self, failure: Failure) -> Failure | None:
        """
        Begin, with a first address that has failed already.

        @return: the failure of all addresses, if that is known at once.
        """
        return self._race.begin(begun=True, failure=failure)

    def end(self) -> None:
        """
        Stop connecting to all addresses.
        """
        self._race.end()

    def _watch(self, target: Target, sock: _socket.socket) -> AddressConnection:
        connection = self._connections[target.address] = AddressConnection(self, target, sock)
        self.search.loop.watch(sock.fileno(), connection)
        return connection

    # For the race

    def start(self, address: Address) -> Failure | None:
        targets = self.search.targets
        target = targets.of(address)
        try:
            sock, number = target.connect()
        except OSError as error:
            return targets.failed(target, error.errno or 0)
        if number not in UNDER_WAY:
            sock.close()
            return targets.failed(target, number)
        connection = self._watch(target, sock)
        if self.search.tracking:
            self._track(connection)
        return None

    def stop(self, address: Address) -> None:
        connection = self._connections.pop(address)
        loop = self.search.loop
        if connection.tracked is not None:
            self.search.untrack(connection.tracked)
        loop.handle(connection.sock.fileno(), None)
        loop.closeSoon(connection.sock)

    def lost(self, failure: Failure) -> None:
        self.search.raceLost(self._attempt, failure)

    def told(self, connection: AddressConnection, event: int) -> None:
        """
        Take the loop's event for one address: it was reached, or was not.
        """
        sock, target, address = connection.sock, connection.target, connection.target.address
        failure: Failure | None = None
        stood = False
        if event & FAILED:
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            stood = number in RESET_SINCE
            if not stood and (number or not event & select.EPOLLOUT):
                failure = self.search.targets.failed(target, number or errno.ECONNREFUSED)
        if failure is None and not stood and target.mayBeItself and isSelfConnected(sock):
            failure = CONNECTED_TO_ITSELF
        if failure is not None:
            self.stop(address)
            self._race.failed(address, failure)
            return
        self._race.won(address)
        del self._connections[address]
        self._attempt.reached(address)
        if stood:
            # The bytes that the host had sent can still be read.
            self.search.raceWon(self._attempt, sock, select.EPOLLOUT, connection.tracked)
            self.search.hostBroke()
        else:
            self.search.raceWon(self._attempt, sock, event, connection.tracked)

    # The table of connections

    def trackConnections(self) -> None:
        """
        Add each connection that is not in the table yet.
        """
        for connection in self._connections.values():
            if connection.tracked is None:
                self._track(connection)

    def _track(self, connection: AddressConnection) -> None:
        connection.tracked = self.search.track(connection.sock, connection.target.address)
