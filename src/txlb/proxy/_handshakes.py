"""
The TLS handshakes of the clients of one service.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from txlb.connecting import packedClient
from txlb.deadlines import Deadline, Deadlines
from txlb.model import ListenTLS
from txlb.proxy._clientconnection import ClientConnection

#: Bytes of an IPv6 address by which clients are counted: those of a network of 64 bits, which
#: one customer has in most cases.
NETWORK = 8


class HandshakeUnderWay(Protocol):
    """
    A handshake under way.
    """

    def abandon(self) -> None:
        """
        End it, and reset the connection. Nothing is called back.
        """


class Handshakes:
    """
    The handshakes under way of the clients of one service. It bounds how many there are, and
    how long each takes. Owned by the service's frontend.

    @param done: is called with the client and its token when a handshake is done.
    @param failed: is called with the client, its token and the reason if one has failed; the
        connection is closed then, or about to be.
    """

    def __init__(
        self,
        deadlines: Deadlines,
        done: Callable[[ClientConnection, object], object],
        failed: Callable[[ClientConnection, str], object],
    ) -> None:
        self._deadlines = deadlines
        self._done = done
        self._failed = failed
        self._underWay: dict[ClientConnection, tuple[HandshakeUnderWay, Deadline]] = {}
        self._perClient: Counter[bytes] = Counter()

    def __len__(self) -> int:
        """
        Count the handshakes under way.
        """
        return len(self._underWay)

    def hasRoom(self, client: ClientConnection, settings: ListenTLS) -> str | None:
        """
        Tell whether a client may begin a handshake.

        @return: the reason if it may not.
        """
        if len(self._underWay) >= settings.maxHandshakes:
            return f"{len(self._underWay)} TLS handshakes are under way (maxHandshakes)"
        if self._perClient:
            key = _keyOf(client)
            if key is not None and self._perClient[key] >= settings.maxHandshakesPerClient:
                return (
                    f"{self._perClient[key]} TLS handshakes of this client are under way "
                    "(maxHandshakesPerClient)"
                )
        return None

    def add(
        self,
        client: ClientConnection,
        settings: ListenTLS,
        begin: Callable[[Callable[[], None], Callable[[str], None]], HandshakeUnderWay],
        token: object,
    ) -> None:
        """
        Begin a handshake.

        @param begin: begins it. It is called with a function to call when it is done, and one
            to call with the reason if it has failed, of which one is called once, later.
        @param token: is passed on to C{done}.
        """

        def done() -> None:
            self._remove(client)
            self._done(client, token)

        def failed(reason: str) -> None:
            self._remove(client)
            self._failed(client, reason)

        def expired() -> None:
            self._remove(client)
            under.abandon()
            self._failed(client, f"it was not done within {settings.handshakeTimeout:g} s")

        under = begin(done, failed)
        deadline = self._deadlines.patience(settings.handshakeTimeout, expired)
        self._underWay[client] = (under, deadline)
        key = _keyOf(client)
        if key is not None:
            self._perClient[key] += 1

    def _remove(self, client: ClientConnection) -> None:
        _, deadline = self._underWay.pop(client)
        deadline.cancel()
        key = _keyOf(client)
        if key is not None:
            self._perClient[key] -= 1
            if not self._perClient[key]:
                del self._perClient[key]

    def clientAddrs(self) -> list[object]:
        """
        List the addresses of the clients.
        """
        return [client.clientAddr for client in self._underWay]

    def abandonAll(self) -> None:
        """
        Reset every client.
        """
        for client, (under, _) in list(self._underWay.items()):
            self._remove(client)
            under.abandon()
            self._failed(client, "the balancer stops")


def _keyOf(client: ClientConnection) -> bytes | None:
    """
    Find what counts as one client.

    @return: L{None} for a client of a UNIX socket.
    """
    found = client.found
    known = found is not None and found.clientAddr is not None
    packed = packedClient(client.clientAddr if known else client.peer)
    return packed if packed is None or len(packed) == 4 else packed[:NETWORK]
