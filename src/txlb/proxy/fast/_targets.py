"""
How to connect to an address, found out once for each.
"""

from __future__ import annotations

import _socket
import socket

from txlb.model import Address, UNIXAddress
from txlb.proxy._near import dontPace, isNear, systemPaces

#: Sockets that never block.
STREAM = socket.SOCK_STREAM | socket.SOCK_NONBLOCK

#: Addresses that are kept at most. Hosts have fewer; but names may get other ones
#: again and again.
MOST = 4096


def _firstEphemeral() -> int:
    """
    The lowest port that the system gives to those who connect.
    """
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            return int(file.read().split()[0])
    except (OSError, ValueError):
        return 1024


FIRST_EPHEMERAL = _firstEphemeral()


class Target:
    """
    How to connect to an address.

    @ivar address: the address.
    @ivar near: see L{isNear}.
    @ivar mayBeItself: whether a socket that connects to it can be given the very
        port that it connects to.
    @ivar unpaced: whether what is sent there is not to be paced.
    """

    __slots__ = ("_family", "_isTCP", "_name", "address", "mayBeItself", "near", "unpaced")

    def __init__(self, address: Address) -> None:
        self.address = address
        self.near = isNear(address)
        self.unpaced = False
        self._family: int
        self._name: str | tuple[str, int]
        if isinstance(address, UNIXAddress):
            self._isTCP = self.mayBeItself = False
            self._family, self._name = socket.AF_UNIX, address.path
        else:
            self._isTCP = True
            self.mayBeItself = address.port >= FIRST_EPHEMERAL
            self._family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
            self._name = address.host, address.port

    def connect(self) -> tuple[_socket.socket, int]:
        """
        Begin to connect.

        @return: a socket, and the number of the error, where there is one already.
        @raise OSError: there is no socket to be had.
        """
        sock = _socket.socket(self._family, STREAM)
        if self._isTCP:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.unpaced:
                dontPace(sock)
        return sock, sock.connect_ex(self._name)

    def getsMuch(self) -> None:
        """
        Much was sent there, and so may be by those who connect to it next: on this
        machine it is not paced from then on. To say so costs each connection a system
        call, which only this is worth.
        """
        if not self.unpaced and self.near and self._isTCP:
            self.unpaced = systemPaces()


class Targets:
    """
    The targets of a relay. Owned by it.
    """

    def __init__(self) -> None:
        # By the address itself, as to compare its contents costs more than all of
        # this; each target keeps its address, so that no other takes its place.
        self._targets: dict[int, Target] = {}

    def __len__(self) -> int:
        """
        How many are kept.
        """
        return len(self._targets)

    def of(self, address: Address) -> Target:
        """
        How to connect to this one.
        """
        target = self._targets.get(id(address))
        if target is None:
            if len(self._targets) >= MOST:
                self._targets.clear()
            target = self._targets[id(address)] = Target(address)
        return target


def isSelfConnected(sock: _socket.socket) -> bool:
    """
    A socket that connects to a dead port of its own machine can be given that
    very port, and is then connected to itself.
    """
    try:
        return bool(sock.getsockname() == sock.getpeername())
    except OSError:
        return False
