"""
Who is behind the connections that hosts see.

A host sees a connection from the balancer, with an address and a port of the
balancer's. That names the connection as long as it lasts, and here it leads to the
client. The port alone may not be enough: the system gives the same one to
connections that go to different hosts.

Nothing is kept until somebody asks for the first time. From then on each
connection notes itself when the system has chosen its port, which is before the
host can see it, and takes itself out at its end. So who never asks pays nothing,
and who does pays one system call a connection.
"""

from __future__ import annotations

from txlb.errors import UnknownConnection
from txlb.model import Address, TCPAddress, plainHost

#: An address and a port.
Name = tuple[str, int]


class TrackedConnection:
    """
    A connection to a host, and who it is for.

    @ivar name: our end of it.
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
    The connections to hosts by our end of them, as many as there are now. Owned by
    the balancer's engine; all its relays share it.

    @ivar tracking: whether connections are to note themselves.
    """

    def __init__(self) -> None:
        self.tracking = False
        self._table: dict[Name, tuple[TrackedConnection, ...]] = {}

    def __len__(self) -> int:
        """
        How many connections are noted.
        """
        return sum(map(len, self._table.values()))

    def add(
        self, name: object, host: Address | object, clientAddr: object
    ) -> TrackedConnection | None:
        """
        There is a connection.

        @param name: our end of it, as the system tells it.
        @param host: the host's end of it, likewise or as a L{TCPAddress}.
        @return: what L{remove} wants; L{None} for a UNIX socket, whose ends have
            no names.
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
        self._table[tracked.name] = (*self._table.get(tracked.name, ()), tracked)
        return tracked

    def remove(self, tracked: TrackedConnection) -> None:
        """
        A connection is over.
        """
        left = tuple(each for each in self._table[tracked.name] if each is not tracked)
        if left:
            self._table[tracked.name] = left
        else:
            del self._table[tracked.name]

    def clientOf(
        self, host: str, port: int, serverHost: str | None = None, serverPort: int | None = None
    ) -> object:
        """
        Who is behind a connection.

        @param host: the address from which its host sees it come.
        @param port: the port.
        @param serverHost: the address at which the host has accepted it, so that
            it is told from one of the same port to another host.
        @param serverPort: the port, likewise.
        @return: the client's address.
        @raise UnknownConnection: there is none, or it can't be told which.
        """
        found = [
            each
            for each in self._table.get((_plain(host), port), ())
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
    An IP address as the system writes it for a socket of its own family; anything
    else as it is. The host's end and ours have different names for the zone of a
    link-local address, so that it doesn't count.
    """
    return plainHost(host.partition("%")[0])
