"""
Making and binding listening sockets, and options of sockets.
"""

from __future__ import annotations

import _socket
import contextlib
import errno
import fcntl
import os
import socket
import struct
import sys
import termios
from collections.abc import Iterable, Sequence
from typing import Any

from txlb.connecting import Place, hostOf, lacksIPv6, placesOf
from txlb.errors import ListenError
from txlb.model import (
    Address,
    InheritedAddress,
    ListenAddress,
    TCPAddress,
    UNIXAddress,
)
from txlb.process import listenUNIX, removeStaleSocket
from txlb.proxy._inherited import inheritedSockets
from txlb.proxy._near import dontPace, isNear, systemPaces

#: Connections that the kernel keeps while the process is busy: the default of
#: C{net.core.somaxconn} since Linux 5.4, which is its bound.
BACKLOG = 4096

#: A dead peer is noticed after KEEPALIVE_IDLE + KEEPALIVE_COUNT * KEEPALIVE_INTERVAL seconds of
#: silence: 60 + 4 * 15 = 120. The defaults of Linux take 7200 + 9 * 75 seconds.
KEEPALIVE_IDLE = 60
KEEPALIVE_INTERVAL = 15
KEEPALIVE_COUNT = 4

#: The options for the least time to live of received packets: C{IP_MINTTL} and
#: C{IPV6_MINHOPCOUNT} of Linux, for which the socket module has no names.
_LEAST_TTL = {
    socket.AF_INET: (socket.IPPROTO_IP, 21),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 73),
}

#: Seconds for which the system keeps a client that has sent nothing: those of HAProxy.
DEFERRED = 1

#: The highest time to live, of 8 bits. Most systems begin with less.
MOST_TTL = 255

_REASONS = {
    errno.EADDRINUSE: "the address is in use by another listener",
    errno.EACCES: "permission denied",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EAFNOSUPPORT: "this machine does not do this kind of address",
}

#: The first port that a user without privileges may bind (C{net.ipv4.ip_unprivileged_port_start}
#: can change it).
UNPRIVILEGED = 1024

#: How often the system chooses another port if one of its choice is taken elsewhere.
PORT_TRIES = 5


def bindSockets(address: ListenAddress, backlog: int = BACKLOG) -> list[socket.socket]:
    """
    Bind and listen. Clients can connect and wait in the backlog, but none is accepted yet.

    @param address: the address. Every interface makes two sockets if the machine has IPv6,
        one for each family; a name makes one for each of its addresses; an inherited address
        makes one for each inherited socket of its name.
    @return: non-blocking, close-on-exec sockets, at least one.
    @raise ListenError: the address can't be had. No socket stays open then.
    """
    if isinstance(address, InheritedAddress):
        return _inherit(address)
    if isinstance(address, UNIXAddress):
        return [_bindUNIX(address, backlog)]
    try:
        places = placesOf(address)
    except OSError as error:
        raise ListenError(str(address), error.strerror or str(error)) from error
    return _bindPlaces(address, list(places), backlog)


def _bindPlaces(address: TCPAddress, places: Sequence[Place], backlog: int) -> list[socket.socket]:
    """
    Bind at all places. If the system chooses the port, it does so for the first place. Another
    program may have that port at another place; then the system chooses again.
    """
    for _ in range(PORT_TRIES if not address.port and len(places) > 1 else 0):
        try:
            return _bindAll(address, places, backlog)
        except ListenError as error:
            cause = error.__cause__
            if not isinstance(cause, OSError) or cause.errno != errno.EADDRINUSE:
                raise
    return _bindAll(address, places, backlog)


def _bindAll(address: TCPAddress, places: Iterable[Place], backlog: int) -> list[socket.socket]:
    """
    Bind and listen at each place, all with one port. Places of IPv6 are left out on a
    machine without IPv6, unless there are no others.
    """
    refused: ListenError | None = None
    with contextlib.ExitStack() as opened:
        sockets: list[socket.socket] = []
        for family, name in places:
            if not address.port and sockets:
                # The system has chosen the port for the first place.
                name = (name[0], sockets[0].getsockname()[1], *name[2:])  # noqa: PLW2901
            try:
                sock = _bindTCP(address, family, name, backlog)
            except ListenError as error:
                cause = error.__cause__
                if family != socket.AF_INET6 or not isinstance(cause, OSError):
                    raise
                if not lacksIPv6(cause.errno):
                    raise
                refused = error
            else:
                sockets.append(opened.enter_context(sock))
        if not sockets and refused is not None:
            raise refused
        opened.pop_all()
    return sockets


def _inherit(address: InheritedAddress) -> list[socket.socket]:
    sockets = inheritedSockets().take(address)
    for sock in sockets:
        if sock.family != socket.AF_UNIX:
            setStreamOptions(sock)
    return sockets


def _bindTCP(
    address: TCPAddress, family: socket.AddressFamily, name: tuple[Any, ...], backlog: int
) -> socket.socket:
    sock = _newSocket(address, family)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # On Linux accepted sockets inherit these, which saves system calls.
        setStreamOptions(sock)
        if isNear(address) and systemPaces():
            dontPace(sock)
        sock.bind(name)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        refused = _listenError(address, error)
        if address.host and not address.isLiteral:
            # A name has several addresses.
            refused = ListenError(refused.address, f"{name[0]}: {refused.reason}")
        raise refused from error
    return sock


def _bindUNIX(address: UNIXAddress, backlog: int) -> socket.socket:
    removeStaleSocket(address)
    try:
        return listenUNIX(address, backlog)
    except OSError as error:
        raise _listenError(address, error) from error


def _newSocket(address: Address, family: socket.AddressFamily) -> socket.socket:
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise _listenError(address, error) from error
    sock.setblocking(False)
    return sock


def _listenError(address: Address, error: OSError) -> ListenError:
    reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
    if error.errno == errno.EACCES and isinstance(address, TCPAddress):
        if address.port < UNPRIVILEGED:
            reason = f"ports below {UNPRIVILEGED} need root, or the capability for them"
    return ListenError(str(address), reason)


def setStreamOptions(sock: _socket.socket) -> None:
    """
    Have small writes sent at once (C{TCP_NODELAY}), urgent data read in line, and a peer
    noticed that has gone.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    keepAlive(sock)


def keepAlive(sock: _socket.socket) -> None:
    """
    Have a TCP peer noticed that has gone. Other kinds of sockets need no probes for that.
    """
    if sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE),
        ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL),
        ("TCP_KEEPCNT", KEEPALIVE_COUNT),
    ):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def bytesOnTheWay(fd: int) -> int:
    """
    Count the bytes that the system has taken for a peer and the peer has not taken yet.

    @param fd: of a socket.
    """
    return _ask(fd, termios.TIOCOUTQ)


def bytesToRead(fd: int) -> int:
    """
    Count the bytes that have arrived and were not read yet.

    @param fd: of a socket.
    """
    return _ask(fd, termios.FIONREAD)


def _ask(fd: int, request: int) -> int:
    answer = fcntl.ioctl(fd, request, b"\0\0\0\0")
    return int(struct.unpack("i", answer)[0])


def deferAccept(sock: socket.socket, deferred: bool) -> None:
    """
    Let the system keep clients of a listening socket until they have sent something, or give all of
    them. For other than TCP, and on other systems than Linux, this does nothing.
    """
    option = getattr(socket, "TCP_DEFER_ACCEPT", None)
    if option is not None and sock.family in {socket.AF_INET, socket.AF_INET6}:
        sock.setsockopt(socket.IPPROTO_TCP, option, DEFERRED if deferred else 0)


def ignoreNewcomers(sock: socket.socket) -> None:
    """
    Take no new connections into the backlog of a listening socket that is about to be
    closed. A client that the kernel connects between the last accept and the close would be
    reset. A client whose SYN is dropped sends it again after a second, and by then another
    listener answers, or the kernel refuses.

    This uses the check of RFC 5082 (GTSM): Linux drops a packet whose time to live is below
    the socket's bound, and most systems begin with 64 or 128. On other systems this does nothing.
    """
    _setLeastTTL(sock, MOST_TTL)


def heedAgain(sock: socket.socket) -> None:
    """
    Remove the bound of L{ignoreNewcomers} from an accepted socket, which may have inherited
    it. The peer sends the packets again that were dropped meanwhile.
    """
    _setLeastTTL(sock, 0)


def _setLeastTTL(sock: socket.socket, least: int) -> None:
    option = _LEAST_TTL.get(sock.family)
    if option is not None and sys.platform == "linux":
        with contextlib.suppress(OSError):
            sock.setsockopt(*option, least)


def socketAddress(sock: socket.socket) -> Address:
    """
    Find the address at which a socket listens, with the port that the system chose.
    """
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        path = os.fsdecode(name)
        # A name in no file system is written with an "@", as by ss(8) and systemd.
        return UNIXAddress(f"@{path[1:]}" if path.startswith("\0") else path)
    return TCPAddress(hostOf(name), name[1])
