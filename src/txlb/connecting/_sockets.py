"""
The names of sockets, made of addresses and turned into addresses.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address

from txlb.model import Address, TCPAddress, UNIXAddress

#: The prefix of an IPv4 address in the name of an IPv6 socket (RFC 4291, section 2.5.5.2).
_MAPPED = "::ffff:"

#: The highest number of an interface: C{sin6_scope_id} has 32 bits.
_MOST_INTERFACES = 0xFFFFFFFF


def familyOf(address: Address) -> socket.AddressFamily:
    """
    Find the family of the sockets of an address that needs no look-up.
    """
    if isinstance(address, UNIXAddress):
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in address.host else socket.AF_INET


def familyAndName(address: Address) -> tuple[socket.AddressFamily, Any]:
    """
    Find the family and the name by which a socket connects to an address that needs no
    look-up, or is bound to it.

    The zone of a link-local address becomes the number of its interface. That number changes
    if the interface is made anew, so the result for such an address must not be kept.

    @return: the family of the socket, and the argument of its C{connect} and C{bind}.
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
    Find the number of a network interface.

    @param zone: its name or its number.
    @raise OSError: C{ENODEV}: this machine has no such interface.
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
    Find the host in the name of an IP socket, written as in a L{TCPAddress}. An IPv4 address
    that is mapped into IPv6 becomes the IPv4 address, and a link-local address gets its zone.

    @param name: the name as C{accept}, C{getsockname} and C{getpeername} give it.
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
    Make the address of one of Twisted's addresses; its host is written as L{hostOf} does.
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
