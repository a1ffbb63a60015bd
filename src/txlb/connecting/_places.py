"""
The sockets that an address to listen at stands for.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

from txlb.connecting._sockets import familyAndName
from txlb.model import TCPAddress

#: A family of sockets, and what a socket of it is bound to.
Place = tuple[socket.AddressFamily, Any]


def placesOf(address: TCPAddress) -> list[Place]:
    """
    List the places that an address stands for, each once. There are several for every
    interface, and for a name that has several addresses.

    An address to bind belongs to this machine, so that its name is looked up without a wait
    for another machine.

    @raise OSError: there is no such name or network interface.
    """
    if not address.host:
        four = TCPAddress("0.0.0.0", address.port)  # noqa: S104 - asked for
        six = TCPAddress("::", address.port)
        return [familyAndName(each) for each in ((four, six) if socket.has_ipv6 else (four,))]
    if address.isLiteral:
        return [familyAndName(address)]
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise OSError(error.errno, f"{address.host} can't be resolved: {error}") from error
    known = (socket.AF_INET, socket.AF_INET6)
    places: dict[Place, None] = dict.fromkeys(
        (each[0], each[4]) for each in found if each[0] in known
    )
    if not places:
        raise OSError(errno.EADDRNOTAVAIL, f"{address.host} has no IP address")
    return list(places)


def lacksIPv6(number: int | None) -> bool:
    """
    Say whether a place of IPv6 can't be bound because this machine has no IPv6, be it in its
    kernel or on its loopback interface.

    @param number: the error number of socket(2) or bind(2).
    """
    if number != errno.EADDRNOTAVAIL:
        return number == errno.EAFNOSUPPORT
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
            sock.bind(("::1", 0))
    except OSError as error:
        return error.errno in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}
    return False
