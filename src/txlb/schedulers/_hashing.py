"""
Hashes that are the same in every process and on every machine, so that a client
finds its host again after a restart, and through another balancer.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b

from txlb.schedulers._base import Key

#: What the system writes before an IPv4 address that is mapped into IPv6.
MAPPED = "::ffff:"

#: Numbers that one digest gives.
BATCH = 8


def clientHash(clientAddr: object) -> int:
    """
    A number of 64 bits for a client. Its IP address decides, its port doesn't. An IPv4
    address is the same one where a socket for both families has mapped it into IPv6.

    @param clientAddr: a tuple that begins with the IP address, or any value.
    """
    if isinstance(clientAddr, (tuple, list)) and clientAddr:
        clientAddr = clientAddr[0]
    name = str(clientAddr)
    name = name.removeprefix(MAPPED)
    text = name.encode("utf-8", "surrogateescape")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")


def keyBytes(key: Key) -> bytes:
    """
    The names of a host as bytes, which no other host has.
    """
    return "/".join(key).encode("utf-8", "surrogateescape")


def numbersOf(name: bytes, batch: int) -> array[int]:
    """
    Eight numbers of 64 bits for a host, as many times as one wants others.

    @param name: see L{keyBytes}.
    @param batch: from 0.
    """
    digest = blake2b(name, digest_size=64, salt=batch.to_bytes(8, "little")).digest()
    return array("Q", digest)
