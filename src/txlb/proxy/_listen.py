"""
Accepting connections.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.deadlines import Deadline, Deadlines, Throttle
from txlb.model import Address, InheritedAddress, Listener, UNIXAddress
from txlb.process import SocketFile, listens
from txlb.proxy._clientconnection import ClientConnection
from txlb.proxy._sockets import BACKLOG, bindSockets, heedAgain, ignoreNewcomers, socketAddress

#: Connections that are accepted before others get their turn.
BATCH = 64

#: Seconds to wait when the system has no descriptor or memory to give. Clients
#: wait in the backlog meanwhile.
EXHAUSTED_PAUSE = 0.1

#: Seconds that connections which are being made have to get into the backlog of a
#: listener that is closed. Nothing else is done meanwhile, so they are few.
HANDSHAKES = 0.002

#: Errors of accept that are about the system and not about one client.
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

#: Takes an accepted connection, whose socket it closes even if it raises.
Accepted = Callable[[ClientConnection], object]

_log = Logger()


class SocketListener:
    """
    Accepts the connections of one configured listener by sockets of its own. It listens
    from the moment it is made; connections wait in the backlog until L{start}.

    @param configured: the listener as it is configured.
    @param reactor: what watches the sockets.
    @param deadlines: what ends a pause.
    @param accepted: is called with each connection.
    @raise ListenError: the address can't be had.

    @ivar configured: the listener as it is configured now.
    """

    def __init__(
        self,
        configured: Listener,
        reactor: IReactorFDSet,
        deadlines: Deadlines,
        accepted: Accepted,
    ) -> None:
        address = configured.address
        sockets = bindSockets(address)
        self.configured = configured
        self._accepted = accepted
        # Before anything else may happen to the path.
        self._file = SocketFile(address.path) if isinstance(address, UNIXAddress) else None
        self._inherited = isinstance(address, InheritedAddress)
        self._throttle = Throttle(deadlines, self._say)
        self._doors = [Door(sock, reactor, deadlines, self._take, self._hold) for sock in sockets]
        self.addresses: list[Address] = [socketAddress(sock) for sock in sockets]

    def start(self) -> None:
        """
        Accept from now on.
        """
        for door in self._doors:
            door.open()

    def pause(self) -> None:
        """
        Accept nobody until L{start}. Clients wait in the backlog.
        """
        for door in self._doors:
            door.rest()

    def handTo(self, reactor: IReactorFDSet, accepted: Accepted, configured: Listener) -> None:
        """
        Let another one accept from now on. Clients that wait in the backlog are the new
        one's.

        @param reactor: what watches the sockets from now on.
        @param configured: the listener at this place as it is configured from now on.
        """
        self._accepted = accepted
        self.configured = configured
        for door in self._doors:
            door.handTo(reactor)

    def drain(self) -> None:
        """
        Take those that are in the backlog now.
        """
        for door in self._doors:
            door.drain()

    def close(self) -> None:
        """
        Take those that are in the backlog, who have been told that they are
        connected, then listen no more. The address is free afterwards. The file of a
        UNIX socket is removed, unless another program's socket has come in its place.

        With sockets that were inherited it is another matter: they go on
        listening, as who has given them has them too, and who waits there waits
        for the next process that gets them.
        """
        self._throttle.flush()
        if self._inherited:
            for door in self._doors:
                door.close()
            self._doors = []
            return
        if self._file is not None:
            # First of all, so that nobody comes after the last one is taken.
            self._file.remove()
            self._file = None
        for door in self._doors:
            door.turnAway()
        # Those who had begun to connect before that are let in meanwhile.
        time.sleep(HANDSHAKES)
        for door in self._doors:
            door.drain()
            door.close()
        self._doors = []

    def _take(self, fd: int, peer: object) -> None:
        try:
            self._accepted(ClientConnection(fd, peer, self.configured))
        except Exception:  # noqa: BLE001 - see below
            # One connection's trouble is not the next one's.
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


@implementer(IReadDescriptor)
class Door:
    """
    One listening socket. Owned by its L{SocketListener}.
    """

    def __init__(
        self,
        sock: socket.socket,
        reactor: IReactorFDSet,
        deadlines: Deadlines,
        take: Callable[[int, object], None],
        hold: Callable[[OSError], None],
    ) -> None:
        self._sock = sock
        self._reactor = reactor
        self._deadlines = deadlines
        self._take = take
        self._hold = hold
        self._pause: Deadline | None = None
        self._turnedAway = False
        self._watched = False

    def open(self) -> None:
        """
        Watch for connections. Nothing is done if it does so, or if it waits for the system
        to have something to give.
        """
        if self._pause is None and not self._watched:
            self._watch()

    def _watch(self) -> None:
        self._pause = None
        self._watched = True
        self._reactor.addReader(self)

    def rest(self) -> None:
        """
        Watch for no connections until L{open}.
        """
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if self._watched:
            self._watched = False
            self._reactor.removeReader(self)

    def handTo(self, reactor: IReactorFDSet) -> None:
        """
        Be watched by another one from now on.
        """
        if reactor is self._reactor:
            return
        if self._watched:
            self._reactor.removeReader(self)
            reactor.addReader(self)
        self._reactor = reactor

    def close(self) -> None:
        """
        Listen no more.
        """
        if self._pause is not None:
            self._pause.cancel()
        self._reactor.removeReader(self)
        self._sock.close()

    def turnAway(self) -> None:
        """
        Let no newcomer in from now on. Those who are in the backlog stay there.
        """
        self._turnedAway = True
        ignoreNewcomers(self._sock)

    def drain(self) -> None:
        """
        Take everybody who is in the backlog.
        """
        self._accept(BACKLOG)

    def fileno(self) -> int:
        return self._sock.fileno()

    def logPrefix(self) -> str:
        return "txlb.proxy.SocketListener"

    def connectionLost(self, reason: Failure) -> None:
        """
        Close the socket if it listens no more. Otherwise the event was meant for the former
        owner of its descriptor, or the reactor ends: watch it again.
        """
        if not listens(self._sock):
            self._watched = False
            self._sock.close()
        elif self._watched:
            self._reactor.addReader(self)

    def doWrite(self) -> None:
        """
        Do nothing. The reactor calls this for an event that it took for the former owner of
        the descriptor in the same turn: a listening socket is never written to.
        """

    def doRead(self) -> None:
        error = self._accept(BATCH)
        if error is not None:
            self._watched = False
            self._reactor.removeReader(self)
            self._pause = self._deadlines.after(EXHAUSTED_PAUSE, self._watch)
            self._hold(error)

    def _accept(self, most: int) -> OSError | None:
        """
        @return: the error, where the system has nothing to give.
        """
        # The public accept() makes an object of each descriptor, for three times
        # what the system call costs, only for us to take it apart again.
        accept = self._sock._accept  # type: ignore[attr-defined]  # noqa: SLF001 - see above
        for _ in range(most):
            try:
                fd, peer = accept()
            except BlockingIOError:
                return None
            except OSError as error:
                if error.errno in EXHAUSTED:
                    return error
                # This client is gone already, or a firewall refused it.
                continue
            if self._turnedAway:
                sock = socket.socket(fileno=fd)
                heedAgain(sock)
                fd = sock.detach()
            self._take(fd, peer)
        return None
