"""
Clients by their addresses.
"""

from __future__ import annotations

from socket import AF_INET, AF_INET6, inet_pton

#: What stands before an IPv4 address that is written as one of IPv6.
_MAPPED = bytes(10) + b"\xff\xff"


def packedClient(address: object) -> bytes | None:
    """
    The client of an address as accept gives it, or as a dial has it.

    @return: 4 bytes for IPv4, also where a socket for both kinds has it as IPv6,
        else 16; L{None} for a client of a UNIX socket.
    """
    host = address[0] if isinstance(address, tuple) and address else None
    if not isinstance(host, str):
        return None
    try:
        if ":" not in host:
            return inet_pton(AF_INET, host)
        packed = inet_pton(AF_INET6, host.partition("%")[0])
    except OSError:
        # As a dial has it, a client of a UNIX socket is where it came in.
        return None
    return packed[12:] if packed.startswith(_MAPPED) else packed
