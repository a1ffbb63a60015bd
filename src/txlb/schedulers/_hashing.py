"""
Hashes that are the same in every process and on every machine. So a client comes to the same
host after a restart, and through another balancer.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b

from txlb.schedulers._base import Key

#: The beginning of an IPv4 address that is mapped into IPv6, as the system writes it.
MAPPED = "::ffff:"

#: How many numbers of 64 bits a digest of BLAKE2b has: 64 bytes (RFC 7693).
BATCH = 8


def clientHash(clientAddr: object) -> int:
    """
    Return a number of 64 bits for a client. It depends on the IP address and not on the
    port. An IPv4 address has the same number also when IPv4-mapped.

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
    Return the names of a host as bytes. No other host has the same, as names have no slash.
    """
    return "/".join(key).encode("utf-8", "surrogateescape")


def numbersOf(name: bytes, batch: int) -> array[int]:
    """
    Return eight numbers of 64 bits for a host.

    @param name: the bytes of its names, see L{keyBytes}.
    @param batch: from 0; another batch gives other numbers.
    """
    digest = blake2b(name, digest_size=64, salt=batch.to_bytes(8, "little")).digest()
    return array("Q", digest)


def placesOf(name: bytes, begin: int, end: int) -> array[int]:
    """
    Return numbers of 64 bits for a host, as L{numbersOf} gives them, from one to another.

    @param name: see L{keyBytes}.
    @param begin: the first one, from 0.
    @param end: the one after the last.
    """
    first = begin // BATCH
    digests = [
        blake2b(name, digest_size=64, salt=batch.to_bytes(8, "little")).digest()
        for batch in range(first, -(-end // BATCH))
    ]
    numbers = array("Q", b"".join(digests))
    return numbers[begin - first * BATCH : end - first * BATCH]
