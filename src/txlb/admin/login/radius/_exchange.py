"""
One request to one server.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol

from txlb.admin.login._refused import SourceUnavailable
from txlb.admin.login.radius._packets import Answer, PacketIgnored, Request
from txlb.deadlines import Deadline, Deadlines

#: Datagrams that are looked at for one request; an attacker may send more.
MAX_DATAGRAMS = 256


class Exchange(DatagramProtocol):
    """
    A request that is repeated until the answer comes. It has a socket of its own, with a port
    that an attacker has to guess. Late answers come to nothing.

    @param host: the IP address of the server.
    @param timeout: seconds to the first repetition; each further one takes twice as long.
    @param retries: how often it is repeated.
    @ivar answered: fires with the L{Answer}; fails with L{SourceUnavailable}.
    """

    # Twisted declares it as not there yet.
    transport: Any
    noisy = False

    def __init__(
        self,
        deadlines: Deadlines,
        host: str,
        port: int,
        request: Request,
        timeout: float,
        retries: int,
    ) -> None:
        self.answered: Deferred[Answer] = Deferred(lambda _: self._stop())
        self._deadlines = deadlines
        self._address = (host, port)
        self._request = request
        self._timeout = timeout
        self._left = retries
        self._datagrams = 0
        self._fault = "no answer"
        self._deadline: Deadline | None = None
        self._over = False

    def startProtocol(self) -> None:
        """
        Send the request.
        """
        self.transport.connect(*self._address)
        self._send()

    def _send(self) -> None:
        self._deadline = self._deadlines.patience(self._timeout, self._repeat)
        try:
            self.transport.write(self._request.data)
        except OSError as error:
            self._fail(f"it can't be reached: {error.strerror}")

    def _repeat(self) -> None:
        if not self._left:
            self._fail(self._fault)
            return
        self._left -= 1
        self._timeout *= 2
        self._send()

    def datagramReceived(self, data: bytes, addr: object) -> None:
        """
        Look at a datagram, unless the answer is there.
        """
        # After the end of listening others come that were there already.
        if self._over:
            return
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

    def connectionRefused(self) -> None:
        """
        Give up, as nothing listens there. This may be called within a write.
        """
        self._fail("nothing listens there")

    def stopProtocol(self) -> None:
        """
        Give up, as the socket is closed: the epoll reactor does this if nothing listens there.
        """
        self._fail("nothing listens there")

    def _fail(self, why: str) -> None:
        if not self._over:
            self._stop()
            self.answered.errback(SourceUnavailable(why))

    def _stop(self) -> None:
        self._over = True
        if self._deadline is not None:
            self._deadline.cancel()
        if self.transport is not None:
            self.transport.stopListening()


def interfaceFor(host: str) -> str:
    """
    Return the address from which a socket can reach an IP address.
    """
    return "::" if ":" in host else "0.0.0.0"  # noqa: S104 - the port of a client


def addressesOf(host: str, port: int) -> list[str]:
    """
    Look a name up. It may take long.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))
