"""
A check's connections to the addresses of a host that has several.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from txlb.connecting import RESET_SINCE, Race, failureOf, familyAndName
from txlb.health._connectrequest import ConnectRequest
from txlb.health._watcher import WRITE, Watcher
from txlb.pool import Failure, FailureKind

if TYPE_CHECKING:
    from txlb.deadlines import Deadlines
    from txlb.model import Address

CONNECTED_TO_ITSELF = Failure(FailureKind.REFUSED, "connection refused")


class CheckRace:
    """
    The attempts of one check to connect, side by side. Owned by the conversation.

    @param request: has the addresses, and gets the socket or the failure.
    @param watcher: watches the sockets.
    @param deadlines: has the timeouts.
    @param done: is called when C{request} has a socket or a failure.
    """

    def __init__(
        self,
        request: ConnectRequest,
        watcher: Watcher,
        deadlines: Deadlines,
        done: Callable[[], object],
    ) -> None:
        self._request = request
        self._watcher = watcher
        self._done = done
        self._sockets: dict[Address, socket.socket] = {}
        latest = deadlines.seconds() + request.timeout
        self._race = Race(self, deadlines, request.addresses, request.timeout, latest)

    def begin(self) -> None:
        """
        Begin to connect.
        """
        failure = self._race.begin()
        if failure is not None:
            self.lost(failure)

    def end(self) -> None:
        """
        Close all sockets that are still connecting.
        """
        self._race.end()

    # Called by the race

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
        self._request.failure = failure
        self._done()

    def _told(self, address: Address) -> None:
        sock = self._sockets[address]
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        reset = number in RESET_SINCE
        failure = failureOf(number, address) if number and not reset else None
        if failure is None and not reset and sock.getsockname() == sock.getpeername():
            # The socket connected to itself, see CheckConnection.
            failure = CONNECTED_TO_ITSELF
        if failure is not None:
            self.stop(address)
            self._race.failed(address, failure)
            return
        self._race.won(address)
        del self._sockets[address]
        self._watcher.forget(sock.fileno())
        self._request.address, self._request.sock = address, sock
        self._done()
