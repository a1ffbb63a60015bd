"""
One request to one server.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from txlb.admin.login._refused import SourceUnavailable
from txlb.admin.login.radius._packets import Answer, PacketIgnored, Request
from txlb.deadlines import Deadline, Deadlines

#: Datagrams that are looked at for one request; an attacker may send more.
MAX_DATAGRAMS = 256

#: Datagrams that are looked at in one turn of the reactor.
MAX_IN_TURN = 16

#: Longer than any packet, so that one that is too long is seen as such.
SIZE = 8192


@implementer(IReadDescriptor)
class Exchange:
    """
    A request that is repeated until the answer comes. It has a socket of its own, with a port
    that an attacker has to guess. Late answers come to nothing. The socket is not one of
    Twisted's, which logs the end of each.

    @param reactor: watches the socket.
    @param timeout: seconds to the first repetition; each further one takes twice as long.
    @param retries: how often it is repeated.
    @ivar reached: whether the system says nothing against it that the server can be reached.
    @ivar answered: fires with the L{Answer}; fails with L{SourceUnavailable}.
    """

    def __init__(
        self,
        reactor: Any,
        deadlines: Deadlines,
        request: Request,
        timeout: float,
        retries: int,
    ) -> None:
        self.answered: Deferred[Answer] = Deferred(lambda _: self._stop())
        self._reactor = reactor
        self._deadlines = deadlines
        self._request = request
        self._timeout = timeout
        self._left = retries
        self._datagrams = 0
        self.reached = True
        self._fault = "no answer"
        self._deadline: Deadline | None = None
        self._socket: socket.socket | None = None

    def begin(self, host: str, port: int) -> None:
        """
        Send the request.

        @param host: the IP address of the server.
        @raise OSError: there is no socket, or no way to the server.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setblocking(False)
        try:
            sock.connect((host, port))
        except OSError:
            self._stop()
            raise
        self._reactor.addReader(self)
        self._send(sock)

    def _send(self, sock: socket.socket) -> None:
        self._deadline = self._deadlines.patience(self._timeout, self._repeat)
        try:
            sock.send(self._request.data)
        except BlockingIOError:
            # As if it were lost.
            return
        except OSError as error:
            self._notReached(_text(error))

    def _repeat(self) -> None:
        if not self._left or self._socket is None:
            self._fail(self._fault)
            return
        self._left -= 1
        self._timeout *= 2
        self._send(self._socket)

    # For the reactor

    def fileno(self) -> int:
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        return "txlb.admin"

    def doRead(self) -> None:
        """
        Look at datagrams.
        """
        for _ in range(MAX_IN_TURN):
            if self._socket is None:
                return
            try:
                data = self._socket.recv(SIZE)
            except BlockingIOError:
                return
            except OSError as error:
                self._notReached(_text(error))
                return
            self._take(data)

    def connectionLost(self, reason: Failure) -> None:
        """
        Give up: the epoll reactor calls this if nothing listens there.
        """
        self._notReached("nothing listens there")

    def _take(self, data: bytes) -> None:
        self._datagrams += 1
        if self._datagrams > MAX_DATAGRAMS:
            self._fail("it gets forged answers")
            return
        try:
            answer = self._request.read(data)
        except PacketIgnored as error:
            self._fault = str(error)
            return
        self._stop()
        self.answered.callback(answer)

    def _notReached(self, why: str) -> None:
        self.reached = False
        self._fail(why)

    def _fail(self, why: str) -> None:
        if self._socket is not None:
            self._stop()
            self.answered.errback(SourceUnavailable(why))

    def _stop(self) -> None:
        sock, self._socket = self._socket, None
        if self._deadline is not None:
            self._deadline.cancel()
        if sock is not None:
            self._socket = sock
            self._reactor.removeReader(self)
            self._socket = None
            sock.close()


def _text(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    return f"it can't be reached: {error.strerror}"


def addressesOf(host: str, port: int) -> list[str]:
    """
    Look a name up. It may take long.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))
