"""
Listening sockets: made, bound, and their errors told in words.
"""

from __future__ import annotations

import _socket
import contextlib
import errno
import fcntl
import os
import socket
import stat
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
from txlb.process import listenUNIX
from txlb.proxy._inherited import inheritedSockets
from txlb.proxy._near import dontPace, isNear, systemPaces

#: Connections that the kernel keeps for us while we are busy; it takes no more
#: than C{net.core.somaxconn}.
BACKLOG = 4096

#: A dead peer is noticed after KEEPALIVE_IDLE + KEEPALIVE_COUNT *
#: KEEPALIVE_INTERVAL seconds of silence: two minutes, where the system's own
#: settings take more than two hours.
KEEPALIVE_IDLE = 60
KEEPALIVE_INTERVAL = 15
KEEPALIVE_COUNT = 4

#: The options that bound the time to live of what is received: C{IP_MINTTL} and
#: C{IPV6_MINHOPCOUNT} of Linux, which the socket module has no names for.
_LEAST_TTL = {
    socket.AF_INET: (socket.IPPROTO_IP, 21),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 73),
}
MOST_TTL = 255

_REASONS = {
    errno.EADDRINUSE: "the address is in use by another listener",
    errno.EACCES: "permission denied",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EAFNOSUPPORT: "this machine does not do this kind of address",
}

#: Ports below this one belong to root.
UNPRIVILEGED = 1024

#: How often the system chooses another port if one of its choice is taken elsewhere.
PORT_TRIES = 5


def bindSockets(address: ListenAddress, backlog: int = BACKLOG) -> list[socket.socket]:
    """
    Bind and listen. Nobody is accepted yet, but clients can connect and wait.

    @param address: where. Every interface makes two sockets where the machine
        has IPv6, one for each kind of address; a name makes one for each of its
        addresses; one that is inherited makes as many as have its name.
    @return: non-blocking, close-on-exec sockets, at least one.
    @raise ListenError: it can't be had. Nothing stays open then.
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
    Bind at all places. If the system chooses the port, it does so for the first place, and
    another program may have the same port at another one: then it chooses again.
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
    machine that has none, unless nothing else is left.
    """
    refused: ListenError | None = None
    with contextlib.ExitStack() as opened:
        sockets: list[socket.socket] = []
        for family, name in places:
            if not address.port and sockets:
                # The first one has got a port of the system's choice.
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
        # On Linux an accepted socket inherits these, which saves the calls.
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
    _removeStale(address)
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


def _removeStale(address: UNIXAddress) -> None:
    """
    Remove a socket that nobody listens on any more. Anything else is left alone.
    """
    try:
        mode = os.lstat(address.path).st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise ListenError(str(address), "there is a file of this name that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        if probe.connect_ex(address.path) == errno.ECONNREFUSED:
            with contextlib.suppress(OSError):
                os.unlink(address.path)


def _listenError(address: Address, error: OSError) -> ListenError:
    reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
    if error.errno == errno.EACCES and isinstance(address, TCPAddress):
        if address.port < UNPRIVILEGED:
            reason = f"ports below {UNPRIVILEGED} need root, or the capability for them"
    return ListenError(str(address), reason)


def setStreamOptions(sock: _socket.socket) -> None:
    """
    Small writes go out at once, urgent data comes in line, and a peer that is gone is
    noticed.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    keepAlive(sock)


def keepAlive(sock: _socket.socket) -> None:
    """
    Notice a TCP peer that is gone. Other sockets notice by themselves.
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
    Bytes that the system has taken from us and the peer has not.

    @param fd: of a socket.
    """
    return _ask(fd, termios.TIOCOUTQ)


def bytesToRead(fd: int) -> int:
    """
    Bytes that have come and were not read yet.

    @param fd: of a socket.
    """
    return _ask(fd, termios.FIONREAD)


def _ask(fd: int, request: int) -> int:
    answer = fcntl.ioctl(fd, request, b"\0\0\0\0")
    return int(struct.unpack("i", answer)[0])


def ignoreNewcomers(sock: socket.socket) -> None:
    """
    Take no new connections into the backlog of a listening socket that is about
    to be closed. Those whom the kernel let in after the last accept and before
    the close would be told that they are connected, and then be reset. A
    newcomer who is ignored tries again after a second, and by then somebody else
    listens, or nobody does.

    This is the check of RFC 5082 (GTSM): Linux drops a packet whose time to live
    is below the socket's bound, and systems begin with 64 or 128. Elsewhere this
    does nothing.
    """
    _setLeastTTL(sock, MOST_TTL)


def heedAgain(sock: socket.socket) -> None:
    """
    A connection that was accepted after L{ignoreNewcomers} may have that bound
    from its listener. Take it off; what was dropped meanwhile is sent again.
    """
    _setLeastTTL(sock, 0)


def _setLeastTTL(sock: socket.socket, least: int) -> None:
    option = _LEAST_TTL.get(sock.family)
    if option is not None and sys.platform == "linux":
        with contextlib.suppress(OSError):
            sock.setsockopt(*option, least)


def socketAddress(sock: socket.socket) -> Address:
    """
    Where a socket of ours listens, with the port that the system chose.
    """
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        path = os.fsdecode(name)
        # One in no file system, which others write so as well.
        return UNIXAddress(f"@{path[1:]}" if path.startswith("\0") else path)
    return TCPAddress(hostOf(name), name[1])
