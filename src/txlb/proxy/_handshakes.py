"""
The TLS handshakes of the clients of one service.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from txlb.deadlines import Deadline, Deadlines
from txlb.model import ListenTLS
from txlb.proxy._clientconnection import ClientConnection
from txlb.proxy._clientcounts import ClientCounts


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
        self._perClient = ClientCounts()

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
        if len(self._underWay) < settings.maxHandshakesPerClient:
            # All clients together have no more than each of them may have.
            return None
        there = self._perClient.of(_addressOf(client))
        if there >= settings.maxHandshakesPerClient:
            return f"{there} TLS handshakes of this client are under way (maxHandshakesPerClient)"
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
        self._perClient.add(_addressOf(client))

    def _remove(self, client: ClientConnection) -> None:
        _, deadline = self._underWay.pop(client)
        deadline.cancel()
        self._perClient.remove(_addressOf(client))

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


def _addressOf(client: ClientConnection) -> object:
    """
    Return the address of a client: the one that its preface has told, else that of its socket.
    """
    found = client.found
    return client.peer if found is None or found.clientAddr is None else client.clientAddr
