"""
PROXY headers, which tell a host its client's address.

Source: W. Tarreau, "The PROXY protocol, versions 1 & 2", haproxy.org,
doc/proxy-protocol.txt.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable, Sequence

from txlb.wire._tlvs import tlv

# The values of the specification, section 2.2.
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
VERSION_2 = 0x20
LOCAL, PROXY = 0, 1
TCP_OVER_IPV4, TCP_OVER_IPV6, UNIX_STREAM, UNSPECIFIED = 0x11, 0x21, 0x31, 0x00
UNIX_LENGTH = 108

#: The result of C{getpeername} and C{getsockname}: for TCP a sequence that begins with IP
#: address and port, for UNIX sockets the path.
SocketName = Sequence[object] | str | bytes


def encodeProxyV1(client: SocketName, server: SocketName) -> bytes:
    """
    Return the header of version 1, a line of text of at most 107 bytes.

    @param client: the name of the client's end of its connection.
    @param server: the name of our end of it.
    @return: C{PROXY UNKNOWN} for anything but TCP.
    """
    pair = _ipPair(client, server)
    if pair is None:
        return b"PROXY UNKNOWN\r\n"
    (source, sourcePort), (destination, destinationPort) = pair
    family = f"TCP{source.version}"
    line = f"PROXY {family} {source} {destination} {sourcePort} {destinationPort}\r\n"
    return line.encode("ascii")


def encodeProxyV2(
    client: SocketName, server: SocketName, tlvs: Iterable[tuple[int, bytes]] = ()
) -> bytes:
    """
    Return the header of version 2, in binary.

    @param client: the name of the client's end of its connection.
    @param server: the name of our end of it.
    @param tlvs: type and value of more to tell of the connection.
    """
    more = b"".join(tlv(kind, value) for kind, value in tlvs)
    pair = _ipPair(client, server)
    if pair is not None:
        (source, sourcePort), (destination, destinationPort) = pair
        family = TCP_OVER_IPV4 if source.version == 4 else TCP_OVER_IPV6
        ports = struct.pack("!HH", sourcePort, destinationPort)
        return _v2(family, source.packed + destination.packed + ports + more)
    if isinstance(client, (str, bytes)) and isinstance(server, (str, bytes)):
        return _v2(UNIX_STREAM, _unixPath(client) + _unixPath(server) + more)
    return _v2(UNSPECIFIED, more)


def encodeProxyLocal(version: str) -> bytes:
    """
    Return the header of a connection that the balancer makes for itself, such as a check.

    @param version: C{v1} or C{v2}.
    """
    if version == "v1":
        return b"PROXY UNKNOWN\r\n"
    return SIGNATURE + struct.pack("!BBH", VERSION_2 | LOCAL, UNSPECIFIED, 0)


def _v2(family: int, addresses: bytes) -> bytes:
    return SIGNATURE + struct.pack("!BBH", VERSION_2 | PROXY, family, len(addresses)) + addresses


def _unixPath(path: str | bytes) -> bytes:
    encoded = path.encode("utf-8", "surrogateescape") if isinstance(path, str) else path
    return encoded[:UNIX_LENGTH].ljust(UNIX_LENGTH, b"\0")


_IPEnd = tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]


def _ipPair(client: SocketName, server: SocketName) -> tuple[_IPEnd, _IPEnd] | None:
    """
    Return both ends as addresses of one family; L{None} if they are not both IP addresses.
    """
    first, second = _ipEnd(client), _ipEnd(server)
    if first is None or second is None:
        return None
    if first[0].version != second[0].version:
        # A header has one family, and an IPv4 address can be written as an IPv6 one.
        return _asV6(first), _asV6(second)
    return first, second


def _ipEnd(name: SocketName) -> _IPEnd | None:
    if isinstance(name, (str, bytes)) or len(name) < 2:
        return None
    host, port = name[0], name[1]
    if not isinstance(host, str) or not isinstance(port, int):
        return None
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped, port
    return address, port


def _asV6(end: _IPEnd) -> _IPEnd:
    address, port = end
    if isinstance(address, ipaddress.IPv4Address):
        return ipaddress.IPv6Address(f"::ffff:{address}"), port
    return end
