"""
The clients behind the connections that hosts see.

A host sees a connection from the balancer, with an address and a port of the balancer. These
name the connection as long as it lasts, and here they lead to the client. The port alone may
not be enough: the system gives the same port to connections that go to different hosts.

Nothing is kept until a client is asked for the first time. From then on each connection is
added when the system has chosen its port, which is before the host can see it, and removed at
its end. So a balancer that is never asked pays nothing, and one that is asked pays one system
call a connection.
"""

from __future__ import annotations

from txlb.errors import UnknownConnection
from txlb.model import Address, TCPAddress, plainHost

#: An address and a port.
Name = tuple[str, int]


class TrackedConnection:
    """
    A connection to a host, and its client.

    @ivar name: the balancer's end of it.
    @ivar hostName: the host's end of it.
    @ivar clientAddr: the client's address.
    """

    __slots__ = ("clientAddr", "hostName", "name")

    def __init__(self, name: Name, hostName: Name, clientAddr: object) -> None:
        self.name = name
        self.hostName = hostName
        self.clientAddr = clientAddr


class ConnectionTable:
    """
    The connections to hosts that there are now, by the balancer's end of them. Owned by the
    balancer's engine; all its relays share it.

    @ivar tracking: whether relays add their connections.
    """

    def __init__(self) -> None:
        self.tracking = False
        self._connections: dict[Name, tuple[TrackedConnection, ...]] = {}

    def __len__(self) -> int:
        """
        Count the connections.
        """
        return sum(map(len, self._connections.values()))

    def add(
        self, name: object, host: Address | object, clientAddr: object
    ) -> TrackedConnection | None:
        """
        Add a connection.

        @param name: the balancer's end of it, as the system gives it.
        @param host: the host's end of it, as the system gives it or as a L{TCPAddress}.
        @return: the connection, for L{remove}; L{None} for a UNIX socket, whose ends have no
            names.
        """
        if not isinstance(name, tuple):
            return None
        if isinstance(host, TCPAddress):
            hostName = host.host.partition("%")[0], host.port
        elif isinstance(host, tuple):
            hostName = host[0], host[1]
        else:
            return None
        tracked = TrackedConnection((name[0], name[1]), hostName, clientAddr)
        self._connections[tracked.name] = (*self._connections.get(tracked.name, ()), tracked)
        return tracked

    def remove(self, tracked: TrackedConnection) -> None:
        """
        Remove a connection that is over.
        """
        left = tuple(each for each in self._connections[tracked.name] if each is not tracked)
        if left:
            self._connections[tracked.name] = left
        else:
            del self._connections[tracked.name]

    def clientOf(
        self, host: str, port: int, serverHost: str | None = None, serverPort: int | None = None
    ) -> object:
        """
        Find the client of a connection.

        @param host: the address from which the host sees the connection come.
        @param port: the port.
        @param serverHost: the address at which the host has accepted the connection. It tells
            the connection from one of the same port to another host.
        @param serverPort: the port, likewise.
        @return: the client's address.
        @raise UnknownConnection: there is no such connection, or there are several.
        """
        found = [
            each
            for each in self._connections.get((_plain(host), port), ())
            if serverHost is None or each.hostName[0] == _plain(serverHost)
            if serverPort is None or each.hostName[1] == serverPort
        ]
        if not found:
            raise UnknownConnection(f"no connection to a host comes from {host} port {port}")
        if len(found) > 1:
            raise UnknownConnection(
                f"{len(found)} connections to hosts come from {host} port {port}; say at which "
                "address and port this one was accepted"
            )
        return found[0].clientAddr


def _plain(host: str) -> str:
    """
    Write an IP address as the system does for a socket of its own family; anything else
    stays as it is. The zone of a link-local address is left out, because the host and the
    balancer have different names for it.
    """
    return plainHost(host.partition("%")[0])
