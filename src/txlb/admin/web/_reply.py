"""
The answer to a request.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from txlb.admin._rows import Row
from txlb.admin.web._media import JSON


@dataclass(frozen=True, slots=True)
class Reply:
    """
    An answer. A long one is made piece by piece while the client reads it.

    @ivar pieces: the body; L{None} if the request is answered already, or is answered as long
        as it lasts.
    @ivar status: of HTTP.
    @ivar media: the type of the body; empty for no body.
    @ivar headers: further headers.
    @ivar tag: the C{ETag}, with its quotation marks; empty for none.
    """

    pieces: Iterable[bytes] | None = ()
    status: int = 200
    media: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    tag: str = ""


#: The request is answered by something else.
TAKEN = Reply(None)


def encoded(value: object) -> bytes:
    """
    Write a value as JSON, in ASCII: so no terminal and no page acts on a character in it.
    """
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def jsonReply(value: object, status: int = 200, **headers: str) -> Reply:
    """
    Return a JSON answer.

    @param headers: further headers, with underscores for the hyphens of their names.
    """
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply((encoded(value),), status, headers=named)


def rowsReply(rows: Iterable[Row]) -> Reply:
    """
    Return the rows of a command as an answer.
    """
    return Reply(_rowPieces(rows))


def _rowPieces(rows: Iterable[Row]) -> Iterable[bytes]:
    before = b'{"rows":['
    for row in rows:
        yield before + encoded(row)
        before = b","
    yield b'{"rows":[]}' if before != b"," else b"]}"
