"""
A check's connections to the addresses of a host that has several.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from txlb.connecting import RESET_SINCE, Race, failureOf, familyAndName
from txlb.pool import Failure, FailureKind

if TYPE_CHECKING:
    from txlb.deadlines import Deadlines
    from txlb.health._sockets import Watcher
    from txlb.model import Address

#: What is waited for; the value is that of poll(2).
WRITE = 4

CONNECTED_TO_ITSELF = Failure(FailureKind.REFUSED, "connection refused")


class Reach:
    """
    The wish of a check to be connected to one of several addresses. Its steps yield it,
    and go on when there is a socket or a failure.

    @ivar addresses: the addresses, the preferred one first.
    @ivar timeout: seconds that the check has.
    @ivar address: the address that was reached.
    @ivar sock: the socket, connected; L{None} if there is none.
    @ivar failure: why there is none.
    """

    __slots__ = ("address", "addresses", "failure", "sock", "timeout")

    def __init__(self, addresses: tuple[Address, ...], timeout: float) -> None:
        self.addresses = addresses
        self.timeout = timeout
        self.address = addresses[0]
        self.sock: socket.socket | None = None
        self.failure: Failure | None = None


class LineRace:
    """
    The connections of one check. Owned by what runs the check.

    @param reach: what is wanted.
    @param watcher: tells when a socket is ready.
    @param deadlines: where timeouts wait.
    @param done: is called when C{reach} has a socket or a failure.
    """

    def __init__(
        self, reach: Reach, watcher: Watcher, deadlines: Deadlines, done: Callable[[], object]
    ) -> None:
        self._reach = reach
        self._watcher = watcher
        self._done = done
        self._sockets: dict[Address, socket.socket] = {}
        latest = deadlines.seconds() + reach.timeout
        self._race = Race(self, deadlines, reach.addresses, reach.timeout, latest)

    def begin(self) -> None:
        """
        Begin.
        """
        failure = self._race.begin()
        if failure is not None:
            self.lost(failure)

    def end(self) -> None:
        """
        Stop all of it.
        """
        self._race.end()

    # As the race wants it

    def start(self, address: Address) -> Failure | None:
        try:
            family, name = familyAndName(address)
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            return failureOf(error.errno or 0, address)
        sock.setblocking(False)
        number = sock.connect_ex(name)
        if number not in {0, errno.EINPROGRESS}:
            sock.close()
            return failureOf(number, address)
        self._sockets[address] = sock
        self._watcher.watch(sock.fileno(), WRITE, lambda: self._told(address))
        return None

    def stop(self, address: Address) -> None:
        sock = self._sockets.pop(address)
        self._watcher.forget(sock.fileno())
        sock.close()

    def lost(self, failure: Failure) -> None:
        self._reach.failure = failure
        self._done()

    def _told(self, address: Address) -> None:
        sock = self._sockets[address]
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        reset = number in RESET_SINCE
        failure = failureOf(number, address) if number and not reset else None
        if failure is None and not reset and sock.getsockname() == sock.getpeername():
            # A dead port of our own machine was given to this very socket.
            failure = CONNECTED_TO_ITSELF
        if failure is not None:
            self.stop(address)
            self._race.failed(address, failure)
            return
        self._race.won(address)
        del self._sockets[address]
        self._watcher.forget(sock.fileno())
        self._reach.address, self._reach.sock = address, sock
        self._done()
