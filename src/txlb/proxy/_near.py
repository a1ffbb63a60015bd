"""
This machine's own addresses, which no network lies before.

Some systems pace what they send, as BBR does: after each packet a timer says when the
next one may go. That is meant for a path with a bottleneck. Within one machine it
only costs the timers and the wake-ups, up to a third of the CPU for each byte, so there
another control of congestion is chosen where the system's own one paces.
"""

from __future__ import annotations

import _socket
import contextlib
import socket

from txlb.model import Address, UNIXAddress

#: A control of congestion that sends as fast as the other side takes it, and that
#: anybody may choose.
UNPACED = b"reno"

#: Bytes that the name of one takes at most.
LONGEST_NAME = 16


def isNear(address: Address) -> bool:
    """
    Whether an address is this machine's own and needs no network. Whoever listens
    there has answered by the time that C{connect} returns.
    """
    if isinstance(address, UNIXAddress):
        return True
    return address.host.startswith("127.") or address.host == "::1"


def systemPaces() -> bool:
    """
    Whether new TCP sockets pace what they send, as far as it can be known.
    """
    try:
        with socket.socket() as sock:
            return controlOf(sock).startswith(b"bbr")
    except OSError:
        return False  # no descriptor is left


def controlOf(sock: _socket.socket) -> bytes:
    """
    The name of the control of congestion that a TCP socket has; nothing where the
    system has no choice of them.
    """
    option = getattr(socket, "TCP_CONGESTION", None)
    if option is None:
        return b""
    return sock.getsockopt(socket.IPPROTO_TCP, option, LONGEST_NAME).rstrip(b"\0")


def dontPace(sock: _socket.socket) -> None:
    """
    Let a TCP socket send at once. For one that connects it has to be called before
    that; those that a listening one accepts inherit it. Where the system doesn't let
    us choose, it stays as it is.
    """
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, UNPACED)
