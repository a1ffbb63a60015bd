"""
One client's connections to the addresses of a host that has several.
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

#: ConnectingSocket goes on after these.
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

    def note(self, sock: _socket.socket, address: Address) -> TrackedConnection | None:
        """
        Note a connection to an address.
        """

    def forget(self, tracked: TrackedConnection) -> None:
        """
        Remove a note.
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
        The host that was reached has reset the connection by now.
        """

    def breakDown(self) -> None:
        """
        One of the handlers of the race raised.
        """


class AddressAttempt:
    """
    A connection to one address. Owned by its race, until it wins.

    @ivar target: the address.
    @ivar sock: the socket.
    @ivar tracked: how it is noted for who asks for its client.
    """

    __slots__ = ("_race", "sock", "target", "tracked")

    def __init__(self, race: AddressRace, target: Target, sock: _socket.socket) -> None:
        self._race = race
        self.target = target
        self.sock = sock
        self.tracked: TrackedConnection | None = None

    def event(self, event: int) -> None:
        """
        The loop tells that the address was reached, or was not.
        """
        self._race.told(self, event)

    def breakDown(self) -> None:
        """
        One of its handlers raised.
        """
        self._race.search.breakDown()


class AddressRace:
    """
    The connections to a host's addresses, of which the first one that stands is used.
    Owned by the client's search. A client whose host has one address never has it.

    @ivar search: the search.
    """

    __slots__ = ("_attempt", "_race", "_racers", "search")

    def __init__(self, search: RaceOwner, attempt: Attempt) -> None:
        self.search = search
        self._attempt = attempt
        self._racers: dict[Address, AddressAttempt] = {}
        latest = attempt.latest
        self._race = Race(
            self,
            search.loop.deadlines,
            attempt.addresses,
            attempt.dial.limits.connectTimeout,
            latest,
        )
        # The race keeps the times of the single addresses.
        attempt.deadline = latest

    def join(self, target: Target, sock: _socket.socket, tracked: TrackedConnection | None) -> None:
        """
        Begin. The first address is being connected to already.
        """
        racer = self._watch(target, sock)
        racer.tracked = tracked
        self._race.begin(begun=True)

    def goOn(self, failure: Failure) -> Failure | None:
        """
        Begin. The first address has failed already.

        @return: why no address can be reached, if that is known at once.
        """
        return self._race.begin(begun=True, failure=failure)

    def end(self) -> None:
        """
        Stop all of it.
        """
        self._race.end()

    def _watch(self, target: Target, sock: _socket.socket) -> AddressAttempt:
        racer = self._racers[target.address] = AddressAttempt(self, target, sock)
        self.search.loop.watch(sock.fileno(), racer.event)
        return racer

    # As the race wants it

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
        racer = self._watch(target, sock)
        if self.search.tracking:
            self._note(racer)
        return None

    def stop(self, address: Address) -> None:
        racer = self._racers.pop(address)
        loop = self.search.loop
        if racer.tracked is not None:
            self.search.forget(racer.tracked)
        loop.handle(racer.sock.fileno(), None)
        loop.closeSoon(racer.sock)

    def lost(self, failure: Failure) -> None:
        self.search.raceLost(self._attempt, failure)

    def told(self, racer: AddressAttempt, event: int) -> None:
        """
        The loop tells that an address was reached, or was not.
        """
        sock, target, address = racer.sock, racer.target, racer.target.address
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
        del self._racers[address]
        self._attempt.reached(address)
        if stood:
            # What the host had sent can be read all the same.
            self.search.raceWon(self._attempt, sock, select.EPOLLOUT, racer.tracked)
            self.search.hostBroke()
        else:
            self.search.raceWon(self._attempt, sock, event, racer.tracked)

    # For those who ask whose they are

    def trackConnections(self) -> None:
        """
        Note each connection that is not noted yet.
        """
        for racer in self._racers.values():
            if racer.tracked is None:
                self._note(racer)

    def _note(self, racer: AddressAttempt) -> None:
        racer.tracked = self.search.note(racer.sock, racer.target.address)
