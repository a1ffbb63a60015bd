"""
Loopback addresses, and pacing.

Some congestion controls, such as BBR, pace: after each packet a timer says when the next one
may go. That is meant for a path with a bottleneck. Within one machine the timers and wake-ups
cost up to a third of the CPU for each byte, and nothing is gained. So connections within this
machine use another congestion control if the system's own one paces.
"""

from __future__ import annotations

import _socket
import contextlib
import socket

from txlb.model import Address, UNIXAddress

#: A congestion control that does not pace. Linux lets every process choose it
#: (C{net.ipv4.tcp_allowed_congestion_control}).
UNPACED = b"reno"

#: Bytes of the name of a congestion control at most: C{TCP_CA_NAME_MAX} of Linux.
LONGEST_NAME = 16


def isNear(address: Address) -> bool:
    """
    Say whether an address is a loopback address or a UNIX socket. A host that listens there
    has answered by the time that C{connect} returns.
    """
    if isinstance(address, UNIXAddress):
        return True
    return address.host.startswith("127.") or address.host == "::1"


def systemPaces() -> bool:
    """
    Say whether new TCP sockets pace, as far as it can be known.
    """
    try:
        with socket.socket() as sock:
            return controlOf(sock).startswith(b"bbr")
    except OSError:
        return False  # no descriptor is left


def controlOf(sock: _socket.socket) -> bytes:
    """
    Find the name of the congestion control of a TCP socket; it is empty if the system has no
    choice of them.
    """
    option = getattr(socket, "TCP_CONGESTION", None)
    if option is None:
        return b""
    return sock.getsockopt(socket.IPPROTO_TCP, option, LONGEST_NAME).rstrip(b"\0")


def dontPace(sock: _socket.socket) -> None:
    """
    Let a TCP socket send at once. It has to be called before the socket connects. The sockets
    that a listening socket accepts inherit it. If the system refuses the choice, the socket
    stays as it is.
    """
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, UNPACED)
