"""
Addresses as sockets take them, and as sockets tell them.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address

from txlb.model import Address, TCPAddress, UNIXAddress

#: What stands before an IPv4 address that the system tells of an IPv6 socket.
_MAPPED = "::ffff:"

#: The highest number that an interface can have.
_MOST_INTERFACES = 0xFFFFFFFF


def familyOf(address: Address) -> socket.AddressFamily:
    """
    The family of the sockets of an address that needs no look-up.
    """
    if isinstance(address, UNIXAddress):
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in address.host else socket.AF_INET


def familyAndName(address: Address) -> tuple[socket.AddressFamily, Any]:
    """
    Say how a socket connects to an address that needs no look-up, or is bound to it.

    The zone of a link-local address becomes the number of its interface, which is
    another one when the interface was made anew. So for such an address this is asked
    each time.

    @return: the family of the socket, and what its C{connect} and C{bind} take.
    @raise OSError: C{ENODEV}: this machine has no interface of that zone.
    """
    family = familyOf(address)
    if isinstance(address, UNIXAddress):
        return family, address.path
    host, _, zone = address.host.partition("%")
    if family == socket.AF_INET:
        return family, (host, address.port)
    return family, (host, address.port, 0, interfaceNumber(zone) if zone else 0)


def interfaceNumber(zone: str) -> int:
    """
    The number of a network interface.

    @param zone: its name or its number.
    @raise OSError: C{ENODEV}: there is none.
    """
    try:
        return socket.if_nametoindex(zone)
    except OSError:
        number = int(zone) if zone.isascii() and zone.isdigit() else 0
        if not 0 < number <= _MOST_INTERFACES:
            raise OSError(errno.ENODEV, f"this machine has no network interface {zone}") from None
        return number


def hostOf(name: Sequence[Any]) -> str:
    """
    The host in the name of an IP socket, as a L{TCPAddress} has it: an IPv4 address
    that is mapped into IPv6 is the IPv4 address, and a link-local address has its
    zone.

    @param name: as C{accept}, C{getsockname} and C{getpeername} give it.
    """
    host: str = name[0]
    if len(name) > 2:
        if name[3]:
            # Some systems write the zone themselves.
            return f"{host.partition('%')[0]}%{_interfaceName(name[3])}"
        if host.startswith(_MAPPED):
            mapped = host[len(_MAPPED) :]
            if ":" not in mapped:
                return mapped
    return host


def tcpAddressOf(address: IPv4Address | IPv6Address) -> TCPAddress:
    """
    Make the address that one of Twisted's stands for. See L{hostOf}.
    """
    name: tuple[Any, ...] = (address.host, address.port)
    if isinstance(address, IPv6Address):
        name = (*name, address.flowInfo, int(address.scopeID))
    return TCPAddress(hostOf(name), address.port)


def _interfaceName(number: int) -> str:
    try:
        return socket.if_indextoname(number)
    except OSError:
        return str(number)
