"""
PROXY headers for tests, with what is right for each: C{proxy_headers.json}.

C{sent} is what a client sends, as hexadecimal digits; C{61*40} stands for 40 bytes. C{verdict}
is C{accept}, C{reject} or C{incomplete}. C{source} and C{destination} are pairs of host and
port, or a path; without one those of the socket count. C{rest} belongs to the host, and
C{pieces} are the sizes of the client's writings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("proxy_headers.json")


@dataclass(frozen=True)
class Vector:
    """
    One client.
    """

    name: str
    sent: bytes
    verdict: str
    source: tuple[str, int] | bytes | None = None
    destination: tuple[str, int] | bytes | None = None
    rest: bytes = b""
    tlvs: tuple[tuple[int, bytes], ...] = ()
    pieces: int | tuple[int, ...] | None = None

    def split(self) -> Iterator[bytes]:
        """
        Yield what the client sends, in its pieces.
        """
        data, pieces = self.sent, self.pieces
        if isinstance(pieces, int):
            yield from (data[at : at + pieces] for at in range(0, len(data), pieces))
            return
        for size in pieces or ():
            yield data[:size]
            data = data[size:]
        yield data


def bytesOf(text: str) -> bytes:
    """
    Read the bytes of C{sent}.
    """
    data = b""
    for part in text.split():
        digits, _, count = part.partition("*")
        data += bytes.fromhex(digits) * int(count or 1)
    return data


def _end(value: Any) -> tuple[str, int] | bytes | None:
    if isinstance(value, str):
        return bytes.fromhex(value)
    return None if value is None else (value[0], value[1])


def vectors() -> list[Vector]:
    """
    Read all of them.
    """
    found = []
    for each in json.loads(_FILE.read_text(encoding="utf-8")):
        pieces = each.get("pieces")
        found.append(
            Vector(
                each["name"],
                bytesOf(each["sent"]),
                each["verdict"],
                _end(each.get("source")),
                _end(each.get("destination")),
                bytes.fromhex(each.get("rest", "")),
                tuple(
                    (int(kind, 16), bytes.fromhex(value))
                    for kind, value in each.get("tlvs", {}).items()
                ),
                tuple(pieces) if isinstance(pieces, list) else pieces,
            )
        )
    return found
