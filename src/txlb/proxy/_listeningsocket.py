"""
One listening socket.
"""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Callable

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.deadlines import Deadline, Deadlines
from txlb.process import EXHAUSTED, listens
from txlb.proxy._sockets import BACKLOG, heedAgain, ignoreNewcomers, socketAddress

#: Connections that are accepted before other sockets have their turn. With the search and the
#: connect that follow on each, at about 75 µs, a batch takes up to 1.2 ms. Small requests on
#: connections that are open wait for a whole one.
BATCH = 16

#: Seconds for which accepting pauses if the system has no descriptor or memory to give. Clients
#: wait in the backlog meanwhile. HAProxy pauses for 100 ms as well.
EXHAUSTED_PAUSE = 0.1

_log = Logger()


@implementer(IReadDescriptor)
class ListeningSocket:
    """
    One listening socket. Owned by its L{txlb.proxy.SocketListener}.

    @param sock: the socket, non-blocking, which belongs to this object from here.
    @param reactor: watches the socket.
    @param deadlines: where the end of a pause waits.
    @param take: is called with the descriptor of each accepted connection and with the
        address of its peer. It does not raise.
    @param hold: is called with the error if accepting pauses.
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
        # Not every system has it.
        self._waiting = select.poll() if hasattr(select, "poll") else None
        if self._waiting is not None:
            self._waiting.register(sock.fileno(), select.POLLIN)
        self._turnedAway = False
        self._watched = False

    @property
    def sock(self) -> socket.socket:
        """
        The socket, which stays this object's.
        """
        return self._sock

    def open(self) -> None:
        """
        Accept connections from now on. This does nothing if the socket does so already, or
        pauses for lack of descriptors.
        """
        if self._pause is None and not self._watched:
            self._watch()

    def rest(self) -> None:
        """
        Accept no connection until L{open}.
        """
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if self._watched:
            self._watched = False
            self._reactor.removeReader(self)

    def _watch(self) -> None:
        self._pause = None
        self._watched = True
        self._reactor.addReader(self)

    def handTo(self, reactor: IReactorFDSet) -> None:
        """
        Have another reactor watch the socket from now on.
        """
        if reactor is self._reactor:
            return
        if self._watched:
            self._reactor.removeReader(self)
            reactor.addReader(self)
        self._reactor = reactor

    def close(self) -> None:
        """
        Close the socket.
        """
        if self._pause is not None:
            self._pause.cancel()
        self._reactor.removeReader(self)
        self._sock.close()

    def turnAway(self) -> None:
        """
        Let no new client into the backlog from now on. The clients that are in it stay.
        """
        self._turnedAway = True
        ignoreNewcomers(self._sock)

    def drain(self) -> None:
        """
        Accept all connections that are in the backlog.
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
            self._ended()
        elif self._watched:
            self._reactor.addReader(self)

    def _ended(self) -> None:
        """
        Close the socket, as it listens no more. Only a process that shares it can have shut
        it down; the system would report it for ever.
        """
        if self._sock.fileno() >= 0:
            _log.error(
                "{name} listens no more, as another process has shut down its socket",
                name=socketAddress(self._sock),
            )
            self.close()

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
        Accept connections.

        @param most: the number of connections at most.
        @return: the error, if the system lacks descriptors or memory.
        """
        # The public accept() makes an object of each descriptor, which costs three times
        # the system call, and the fast relay wants only the descriptor.
        accept = self._sock._accept  # type: ignore[attr-defined]  # noqa: SLF001 - see above
        for number in range(most):
            if number == 1 and self._waiting is not None and not self._waiting.poll(0):
                # The system makes the new socket before it looks for a client, so that an accept
                # without one costs ten times as much as this. Most clients come alone.
                return None
            try:
                fd, peer = accept()
            except BlockingIOError:
                return None
            except OSError as error:
                if error.errno in EXHAUSTED:
                    return error
                if error.errno == errno.EINVAL and not listens(self._sock):
                    self._ended()
                    return None
                # This client has gone, or a firewall refused it.
                continue
            if self._turnedAway:
                sock = socket.socket(fileno=fd)
                heedAgain(sock)
                fd = sock.detach()
            self._take(fd, peer)
        return None
