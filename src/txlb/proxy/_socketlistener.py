"""
Accepting the connections of one listener.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence

from twisted.internet.interfaces import IReactorFDSet
from twisted.logger import Logger

from txlb.deadlines import Deadlines, Throttle
from txlb.model import Address, InheritedAddress, Listener, UNIXAddress
from txlb.process import SocketFile
from txlb.proxy._clientconnection import ClientConnection
from txlb.proxy._listeningsocket import EXHAUSTED_PAUSE, ListeningSocket
from txlb.proxy._sockets import bindSockets, deferAccept, socketAddress

#: Seconds for which a listener that closes waits, so that handshakes that have begun can
#: reach the backlog. Nothing else runs meanwhile, so they are few.
HANDSHAKES = 0.002

#: Takes an accepted connection, whose socket it closes even if it raises.
Accepted = Callable[[ClientConnection], object]

_log = Logger()


class SocketListener:
    """
    A listener with sockets of its own. It listens from the moment it is made; connections
    wait in the backlog until L{start}.

    @param configured: the listener as it is configured.
    @param reactor: watches the sockets.
    @param deadlines: where the end of a pause waits.
    @param accepted: is called with each connection.
    @param sockets: listen at the address already, as another process of the balancer has
        them; by default it is bound. They are the other process's until L{own}.
    @raise ListenError: the address can't be had.

    @ivar configured: the listener as it is configured now.
    @ivar addresses: the addresses at which it listens, with the ports that the system chose.
    """

    def __init__(
        self,
        configured: Listener,
        reactor: IReactorFDSet,
        deadlines: Deadlines,
        accepted: Accepted,
        sockets: Sequence[socket.socket] = (),
    ) -> None:
        address = configured.address
        self._borrowed = bool(sockets)
        sockets = sockets or bindSockets(address)
        self._shared = False
        self.configured = configured
        self._accepted = accepted
        # Before anything else may happen to the path.
        self._file = SocketFile(address.path) if isinstance(address, UNIXAddress) else None
        self._inherited = isinstance(address, InheritedAddress)
        # When it began to turn clients away, by the monotonic clock.
        self._away: float | None = None
        self._throttle = Throttle(deadlines, self._say)
        self._sockets = [
            ListeningSocket(sock, reactor, deadlines, self._take, self._hold) for sock in sockets
        ]
        self._deferAccept()
        self.addresses: list[Address] = [socketAddress(sock) for sock in sockets]

    def start(self) -> None:
        """
        Accept from now on.
        """
        for sock in () if self._shared else self._sockets:
            sock.open()

    def own(self) -> None:
        """
        Take note that no other process accepts from the sockets any more, or that it shares them.
        Until then L{close} does nothing that the other process would notice.
        """
        self._borrowed = False
        self._deferAccept()

    @property
    def sockets(self) -> list[socket.socket]:
        """
        The sockets, which stay the listener's.
        """
        return [each.sock for each in self._sockets]

    def share(self, shared: bool) -> None:
        """
        Leave the connections to other processes that have the sockets as well, or accept them
        again. L{start} has no effect while they are left.
        """
        self._shared = shared
        if shared:
            self.pause()

    def pause(self) -> None:
        """
        Accept no connection until L{start}. Clients wait in the backlog.
        """
        for sock in self._sockets:
            sock.rest()

    def handTo(self, reactor: IReactorFDSet, accepted: Accepted, configured: Listener) -> None:
        """
        Give the connections to another taker from now on, those in the backlog included.

        @param reactor: watches the sockets from now on.
        @param accepted: is called with each connection.
        @param configured: the listener at this place as it is configured from now on.
        """
        self._accepted = accepted
        self.configured = configured
        for sock in self._sockets:
            sock.handTo(reactor)
        self._deferAccept()

    def _deferAccept(self) -> None:
        """
        Let the system keep clients, or not, unless the other process goes on with the sockets. An
        inherited socket may have that from the process that gave it.
        """
        wanted = self.configured.deferAccept
        if not self._borrowed and (wanted or not self._inherited):
            for sock in self._sockets:
                deferAccept(sock.sock, wanted)

    def drain(self) -> None:
        """
        Accept the connections that are in the backlog now.
        """
        for sock in () if self._shared else self._sockets:
            sock.drain()

    def turnAway(self) -> None:
        """
        Let no new client into the backlog from now on, as L{close} comes next. The file of a
        UNIX socket is removed, unless it is the socket of another program by now. With many
        listeners to close, call this for all of them first: then only the first L{close} waits
        for handshakes that have begun.

        Inherited sockets go on listening, because the process that gave them has them too.
        """
        if self._inherited or self._borrowed or self._away is not None:
            return
        if self._file is not None:
            # First, so that no client connects after the last one was accepted.
            self._file.remove()
            self._file = None
        if self._shared:
            # The other processes accept what is in the backlog.
            return
        for sock in self._sockets:
            sock.turnAway()
        self._away = time.monotonic()

    def close(self) -> None:
        """
        Accept the connections that are in the backlog, whose clients believe that they are
        connected, and close the sockets. The address is free afterwards. See L{turnAway}.

        The connections in the backlog of inherited sockets are for the next process that gets
        them.
        """
        if self._borrowed:
            self.letGo()
            return
        self._throttle.flush()
        self.turnAway()
        if self._away is not None and self._sockets:
            # Handshakes that have begun before that end meanwhile.
            time.sleep(max(self._away + HANDSHAKES - time.monotonic(), 0.0))
        for sock in self._sockets:
            if not (self._inherited or self._shared):
                sock.drain()
            sock.close()
        self._sockets = []

    def letGo(self) -> None:
        """
        Close the sockets here, as another process accepts what comes to them, those in the
        backlog included. Nothing else is done to them, as it would be done to that process's
        as well.
        """
        self._throttle.flush()
        self._file = None
        for sock in self._sockets:
            sock.close()
        self._sockets = []

    def _take(self, fd: int, peer: object) -> None:
        try:
            self._accepted(ClientConnection(fd, peer, self.configured))
        except Exception:  # noqa: BLE001 - the next connection is not to blame
            _log.failure("a connection from {peer} could not be taken", peer=peer)

    def _hold(self, error: OSError) -> None:
        self._throttle.happened(error.strerror)

    def _say(self, times: int, reason: str) -> None:
        _log.warn(
            "no new connections on {addresses} for {pause} s, {times} times now: {reason}",
            addresses=", ".join(map(str, self.addresses)),
            pause=EXHAUSTED_PAUSE,
            times=times,
            reason=reason,
        )
