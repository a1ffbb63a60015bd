"""
The way to connect to each address, found out once.
"""

from __future__ import annotations

import _socket
import errno
import os
import socket
from collections.abc import Callable

from txlb.connecting import NO_PORTS, PortPauses, failureOf, familyAndName
from txlb.model import Address, TCPAddress, UNIXAddress
from txlb.pool import Failure, FailureKind
from txlb.proxy._near import dontPace, isNear, systemPaces

#: Sockets that never block.
STREAM = socket.SOCK_STREAM | socket.SOCK_NONBLOCK

#: Addresses that are kept at most, because the names of hosts may get new ones again and again.
#: Then all are forgotten, and made anew when they are used.
MOST = 4096


def _firstEphemeral() -> int:
    """
    Read the lowest port that the system gives to a socket that connects.
    """
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            return int(file.read().split()[0])
    except (OSError, ValueError):
        return 1024  # below it are the well-known ports


#: Errors that mean that no local port is left.
WANT_OF_PORTS = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL})

FIRST_EPHEMERAL = _firstEphemeral()


class Target:
    """
    The way to connect to an address.

    @ivar address: the address.
    @ivar isUNIX: whether it is the address of a UNIX socket.
    @ivar near: whether it is on this machine; see L{isNear}.
    @ivar mayBeItself: whether a socket that connects to it can be given the very
        port that it connects to.
    @ivar unpaced: whether its sockets must not pace.
    """

    __slots__ = (
        "_asked",
        "_family",
        "_name",
        "address",
        "isUNIX",
        "mayBeItself",
        "near",
        "unpaced",
    )

    def __init__(self, address: Address) -> None:
        self.address = address
        self.near = isNear(address)
        self.unpaced = self._asked = False
        self._family: int
        self._name: str | tuple[str, int] | tuple[str, int, int, int]
        if isinstance(address, UNIXAddress):
            self.isUNIX, self.mayBeItself = True, False
            self._family, self._name = socket.AF_UNIX, address.path
        else:
            self.isUNIX = False
            self.mayBeItself = address.port >= FIRST_EPHEMERAL
            self._family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
            self._name = address.host, address.port

    def connect(self) -> tuple[_socket.socket, int]:
        """
        Begin to connect.

        @return: a socket, and the result of connect(2): 0 or the number of the error.
        @raise OSError: the system gives no socket.
        """
        sock = _socket.socket(self._family, STREAM)
        # Before any byte can come, or a read drops an urgent byte.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        if not self.isUNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.unpaced:
                dontPace(sock)
        return sock, sock.connect_ex(self._name)

    def getsMuch(self) -> None:
        """
        Take note that much was sent to the address. The next connections may send much as
        well, so on this machine they don't pace from then on. That costs each connection a
        system call, which only bulk is worth.
        """
        if not self._asked:
            self._asked = True
            self.unpaced = self.near and not self.isUNIX and systemPaces()


class ZonedTarget(Target):
    """
    A target whose address is a link-local one of IPv6, which has a zone. It looks for the
    interface each time, because an interface that goes and comes back may have another number.
    """

    __slots__ = ()

    def connect(self) -> tuple[_socket.socket, int]:
        """
        Begin to connect.

        @raise OSError: there is no such interface, or the system gives no socket.
        """
        self._name = familyAndName(self.address)[1]
        return super().connect()


class PausedTarget(Target):
    """
    A target towards which no local port is left. It replaces the target for a moment, so that
    connecting to other targets costs nothing more.
    """

    __slots__ = ("_targets", "target")

    def __init__(self, target: Target, targets: Targets) -> None:
        super().__init__(target.address)
        self._targets = targets
        self.target = target

    def connect(self) -> tuple[_socket.socket, int]:
        """
        Begin to connect, if the pause is over.

        @raise OSError: the pause is not over, or the system gives no socket.
        """
        if not self._targets.goesOn(self):
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        return self.target.connect()


class Targets:
    """
    The targets of a relay. Owned by it.

    @param seconds: the monotonic clock.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._pauses = PortPauses(seconds)
        # By the id of the address object, because comparing its contents costs more than all
        # the rest. Each target keeps its address object, so that the id is not used again.
        self._targets: dict[int, Target] = {}

    def __len__(self) -> int:
        """
        Count the targets.
        """
        return len(self._targets)

    def of(self, address: Address) -> Target:
        """
        Find the target of an address.
        """
        target = self._targets.get(id(address))
        if target is None:
            if len(self._targets) >= MOST:
                self._targets.clear()
            target = self._targets[id(address)] = _newTarget(address)
        return target

    def failed(self, target: Target, number: int) -> Failure:
        """
        Make the failure that an error of connecting to a target means. If no local port is
        left towards it, the target is paused.

        @param number: the error number.
        """
        address = target.address
        if number in WANT_OF_PORTS and self._pauses.holds(address):
            return NO_PORTS
        failure = failureOf(number, address)
        if failure.kind is FailureKind.PORTS:
            self._pauses.begin(address)
            if isinstance(target, PausedTarget):
                target = target.target
            self._targets[id(address)] = PausedTarget(target, self)
        return failure

    def goesOn(self, paused: PausedTarget) -> bool:
        """
        Say whether the pause of a target is over; if so, the target is used again.
        """
        if self._pauses.holds(paused.address):
            return False
        self._targets[id(paused.address)] = paused.target
        return True


def _newTarget(address: Address) -> Target:
    zoned = isinstance(address, TCPAddress) and "%" in address.host
    return ZonedTarget(address) if zoned else Target(address)


def isSelfConnected(sock: _socket.socket) -> bool:
    """
    Say whether a socket is connected to itself. The system may give a socket that connects to
    a port of this machine, on which no program listens, that port as its own.
    """
    try:
        return bool(sock.getsockname() == sock.getpeername())
    except OSError:
        return False
