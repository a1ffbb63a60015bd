"""
The sources of clients, by which limits count.
"""

from __future__ import annotations

import ipaddress

from twisted.internet.address import IPv4Address, IPv6Address

from txlb.connecting import tcpAddressOf
from txlb.errors import AddressError
from txlb.model import shown

#: An IPv6 client can choose its address from a network of this size: RFC 6177.
IPV6_PREFIX = 64

#: The source of the clients of a UNIX socket.
LOCAL = "unix"


def clientHost(address: object) -> str | None:
    """
    Return the IP address of a peer, an IPv4 address also if it came as an IPv6 one
    (C{::ffff:192.0.2.1}), and a link-local one with its zone.

    @param address: as Twisted tells it.
    @return: L{None} if it is no IP address.
    """
    return tcpAddressOf(address).host if isinstance(address, (IPv4Address, IPv6Address)) else None


def sourceOf(address: object) -> str:
    """
    Return the source of a client: an IPv4 address, the /64 of an IPv6 address, or L{LOCAL}.
    """
    host = clientHost(address)
    if host is None:
        return LOCAL
    if ":" not in host:
        return host
    network = ipaddress.IPv6Network((host.partition("%")[0], IPV6_PREFIX), strict=False)
    return str(network)


def sourceOfText(address: str) -> str:
    """
    Return the source of an IP address, or of L{LOCAL}.

    @raise AddressError: it is neither.
    """
    if address == LOCAL:
        return LOCAL
    try:
        host = str(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        raise AddressError(
            f"{shown(address)} is no IP address; say one such as 192.0.2.7 or 2001:db8::7, or "
            f"{LOCAL} for clients of UNIX sockets"
        ) from None
    return sourceOf((IPv6Address if ":" in host else IPv4Address)("TCP", host, 0))


def peerName(address: object) -> str:
    """
    Return the name of a peer in logs.
    """
    host = clientHost(address)
    if host is None:
        return LOCAL
    port = getattr(address, "port", 0)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
