"""
The optional values of PROXY headers of version 2: type, length, value.
"""

from __future__ import annotations

import struct
from enum import IntEnum


class TLVKind(IntEnum):
    """
    The types of the specification, section 2.2.
    """

    ALPN = 0x01
    AUTHORITY = 0x02
    CRC32C = 0x03
    NOOP = 0x04
    UNIQUE_ID = 0x05
    SSL = 0x20
    NETNS = 0x30


#: Types that have a meaning only in the header that they came in, or on the machine of its
#: sender.
NOT_PASSED = frozenset((TLVKind.CRC32C, TLVKind.NOOP, TLVKind.NETNS))

_HEAD = struct.Struct("!BH")

#: The polynomial of CRC-32C, reversed (RFC 9260, appendix A).
_POLYNOMIAL = 0x82F63B78


class TLVError(Exception):
    """
    TLVs are malformed. The text says in which way, to follow on "it has".
    """


def tlv(kind: int, value: bytes) -> bytes:
    """
    Encode one TLV.
    """
    return _HEAD.pack(kind, len(value)) + value


def parseTLVs(data: bytes) -> tuple[tuple[int, bytes], ...]:
    """
    Read TLVs, in time that is linear.

    @return: type and value of each, in their order.
    @raise TLVError: the bytes end within one.
    """
    found: list[tuple[int, bytes]] = []
    at, end = 0, len(data)
    while at < end:
        if at + _HEAD.size > end:
            raise TLVError("a TLV that ends within its length")
        kind, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        if at + length > end:
            raise TLVError("a TLV that is longer than the header")
        found.append((kind, data[at : at + length]))
        at += length
    return tuple(found)


def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """
    Compute the checksum of a header.
    """
    value, table = 0xFFFFFFFF, _TABLE
    for byte in data:
        value = value >> 8 ^ table[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF
