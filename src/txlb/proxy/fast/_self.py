"""
A socket that is connected to itself.
"""

from __future__ import annotations

import _socket

from txlb.model import UNIXAddress
from txlb.pool import Attempt


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


def isSelfConnected(attempt: Attempt, sock: _socket.socket) -> bool:
    """
    A socket that connects to a dead port of its own machine can be given that
    very port, and is then connected to itself.
    """
    address = attempt.address
    if isinstance(address, UNIXAddress) or address.port < FIRST_EPHEMERAL:
        return False
    try:
        return bool(sock.getsockname() == sock.getpeername())
    except OSError:
        return False
