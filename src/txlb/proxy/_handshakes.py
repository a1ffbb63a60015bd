"""
The TLS handshakes of the clients of one service.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from txlb.deadlines import Deadlines
from txlb.model import ListenTLS
from txlb.proxy._clientconnection import ClientConnection
from txlb.proxy._clientcounts import ClientCounts
from txlb.proxy._waits import Waits


class HandshakeUnderWay(Protocol):
    """
    A handshake under way.
    """

    def abandon(self) -> None:
        """
        End it, and reset the connection. Nothing is called back.
        """


class _UnderWay(NamedTuple):
    """
    What is known of a handshake under way.
    """

    handshake: HandshakeUnderWay
    waits: Waits[ClientConnection]
    key: bytes | None


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
        self._underWay: dict[ClientConnection, _UnderWay] = {}
        self._perClient = ClientCounts()
        # By the seconds that a handshake has, which listeners may have unlike.
        self._waits: dict[float, Waits[ClientConnection]] = {}

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

        handshake = begin(done, failed)
        waits = self._waits.get(settings.handshakeTimeout)
        if waits is None:
            waits = self._waitsOf(settings.handshakeTimeout)
        waits.add(client)
        key = self._perClient.add(_addressOf(client))
        self._underWay[client] = _UnderWay(handshake, waits, key)

    def _waitsOf(self, seconds: float) -> Waits[ClientConnection]:
        """
        Make the waits of handshakes that have so many seconds, in the place of those for times
        that no listener has any more.
        """

        def expired(client: ClientConnection) -> None:
            under = self._underWay.pop(client)
            self._perClient.remove(under.key)
            under.handshake.abandon()
            self._failed(client, f"it was not done within {seconds:g} s")

        made = Waits[ClientConnection](self._deadlines, seconds, expired)
        self._waits = {key: waits for key, waits in self._waits.items() if len(waits)}
        self._waits[seconds] = made
        return made

    def _remove(self, client: ClientConnection) -> HandshakeUnderWay:
        handshake, waits, key = self._underWay.pop(client)
        waits.remove(client)
        self._perClient.remove(key)
        return handshake

    def clientAddrs(self) -> list[object]:
        """
        List the addresses of the clients.
        """
        return [client.clientAddr for client in self._underWay]

    def abandonAll(self) -> None:
        """
        Reset every client.
        """
        for client in list(self._underWay):
            self._remove(client).abandon()
            self._failed(client, "the balancer stops")


def _addressOf(client: ClientConnection) -> object:
    """
    Return the address of a client: the one that its preface has told, else that of its socket.
    """
    found = client.found
    return client.peer if found is None or found.clientAddr is None else client.clientAddr
