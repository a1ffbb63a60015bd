"""
The addresses of clients in packed form.
"""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_pton

#: The prefix of an IPv4 address that is written as one of IPv6 (RFC 4291, section 2.5.5.2).
_MAPPED = bytes(10) + b"\xff\xff"


def packedClient(address: object) -> bytes | None:
    """
    Pack the IP address of a client, so that limits and networks compare bytes.

    @param address: the client's address as C{accept} gives it, or as a dial has it.
    @return: 4 bytes for IPv4, also if it is mapped into IPv6; 16 bytes for IPv6; L{None} for
        a client of a UNIX socket.
    """
    host = address[0] if isinstance(address, tuple) and address else None
    if not isinstance(host, str):
        return None
    try:
        if ":" not in host:
            return inet_pton(AF_INET, host)
        packed = inet_pton(AF_INET6, host.partition("%")[0])
    except OSError:
        # A dial knows a client of a UNIX socket by the path where it came in.
        return None
    return packed[12:] if packed.startswith(_MAPPED) else packed
