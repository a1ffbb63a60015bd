"""
Listening by the reactor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.protocol import Factory

from txlb.errors import ListenError
from txlb.model import (
    Address,
    InheritedAddress,
    ListenAddress,
    Listener,
    TCPAddress,
    UNIXAddress,
)
from txlb.proxy._acceptedclient import AcceptedClient
from txlb.proxy._clientconnection import ClientConnection
from txlb.proxy._sockets import BACKLOG


class ReactorListener(Factory):
    """
    A listener that does the same as L{txlb.proxy.SocketListener}, by C{listenTCP} and
    C{listenUNIX} of the reactor: no socket is opened beside those of the reactor. So a
    balancer runs under a reactor for tests, such as
    C{twisted.internet.testing.MemoryReactorClock}.

    @param configured: the listener as it is configured.
    @param accepted: is called with each connection.
    @raise ListenError: the address can't be had.

    @ivar configured: the listener as it is configured now.
    """

    noisy = False

    def __init__(
        self,
        configured: Listener,
        reactor: Any,
        accepted: Callable[[ClientConnection], object],
    ) -> None:
        address = configured.address
        self.configured = configured
        self._accepted = accepted
        self._started = False
        self._port: IListeningPort | None
        try:
            self._port = self._listen(address, reactor)
        except CannotListenError as error:
            raise ListenError(str(address), str(error.socketError or error)) from error
        self.addresses: list[Address] = [_where(address, self._port)]

    def _listen(self, address: ListenAddress, reactor: Any) -> IListeningPort:
        port: IListeningPort
        if isinstance(address, InheritedAddress):
            raise ListenError(str(address), "this reactor has no sockets of systemd's")
        if isinstance(address, UNIXAddress):
            port = reactor.listenUNIX(address.path, self, backlog=BACKLOG, mode=address.mode)
        else:
            port = reactor.listenTCP(address.port, self, backlog=BACKLOG, interface=address.host)
        return port

    def buildProtocol(self, addr: IAddress | None) -> AcceptedClient | None:
        """
        Make the protocol for a client. No client is accepted before L{start}.
        """
        if not self._started:
            return None
        return AcceptedClient(self._connected)

    def _connected(self, client: AcceptedClient, peer: object) -> None:
        self._accepted(ClientConnection(-1, peer, self.configured, client))

    def start(self) -> None:
        """
        Accept from now on.
        """
        self._started = True

    def pause(self) -> None:
        """
        Accept no client until L{start}. The reactor closes the connections of clients that
        connect meanwhile.
        """
        self._started = False

    def handTo(
        self,
        reactor: object,
        accepted: Callable[[ClientConnection], object],
        configured: Listener,
    ) -> None:
        """
        Give the connections to another taker from now on.

        @param reactor: is not used; the reactor that listens is the same.
        @param configured: the listener at this place as it is configured from now on.
        """
        self._accepted = accepted
        self.configured = configured

    def drain(self) -> None:
        """
        Do nothing: the backlog belongs to the reactor, which does not tell what is in it.
        """

    def turnAway(self) -> None:
        """
        Do nothing, for the same reason.
        """

    def close(self) -> None:
        """
        Listen no more.
        """
        port, self._port = self._port, None
        self._started = False
        if port is not None:
            port.stopListening()


def _where(address: ListenAddress, port: IListeningPort) -> Address:
    """
    Find the address of a port, with the number that the reactor chose.
    """
    if isinstance(address, TCPAddress):
        return TCPAddress(address.host, getattr(port.getHost(), "port", address.port))
    assert isinstance(address, UNIXAddress)  # noqa: S101 - another was refused
    return address
