"""
ClientHellos for tests.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable


def extension(kind: int, data: bytes) -> bytes:
    """
    Make an extension.
    """
    return struct.pack("!HH", kind, len(data)) + data


def serverName(name: str | bytes) -> bytes:
    """
    Make the extension of a name.
    """
    data = name.encode("ascii") if isinstance(name, str) else name
    entry = b"\0" + struct.pack("!H", len(data)) + data
    return extension(0, struct.pack("!H", len(entry)) + entry)


def protocols(names: Iterable[bytes]) -> bytes:
    """
    Make the extension of protocols (ALPN).
    """
    data = b"".join(bytes((len(name),)) + name for name in names)
    return extension(16, struct.pack("!H", len(data)) + data)


def message(*extensions: bytes, session: bytes = b"", ciphers: bytes = b"\x13\x01") -> bytes:
    """
    Make the message, without a record.
    """
    every = b"".join(extensions)
    body = (
        b"\x03\x03"
        + bytes(32)
        + bytes((len(session),))
        + session
        + struct.pack("!H", len(ciphers))
        + ciphers
        + b"\x01\x00"
        + (struct.pack("!H", len(every)) + every if extensions else b"")
    )
    return b"\x01" + len(body).to_bytes(3, "big") + body


def records(data: bytes, size: int = 16384) -> bytes:
    """
    Put a message into records.

    @param size: how many bytes of it each has.
    """
    parts = (data[at : at + size] for at in range(0, len(data), size))
    return b"".join(b"\x16\x03\x01" + struct.pack("!H", len(part)) + part for part in parts)


def hello(name: str | None = "a.example", alpn: Iterable[bytes] = (), size: int = 16384) -> bytes:
    """
    Make a ClientHello as a client sends it.
    """
    names = list(alpn)
    extensions = [] if name is None else [serverName(name)]
    if names:
        extensions.append(protocols(names))
    return records(message(*extensions), size)
