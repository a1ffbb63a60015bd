"""
The kinds of values of the options of checks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from txlb.errors import ModelError
from txlb.model.kinds import PlainKind, quoted
from txlb.model.options import MAX_TEXT

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|[rnt0\\])")
_SIMPLE = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}
_STATUSES = re.compile(r"[1-5][0-9]{2}(-[1-5][0-9]{2})?(,[1-5][0-9]{2}(-[1-5][0-9]{2})?)*\Z")


@dataclass(frozen=True, slots=True)
class Bytes(PlainKind):
    r"""
    Bytes, written as text with the escapes C{\r \n \t \0 \\ \xHH}. The value is
    the text.
    """

    def describe(self) -> str:
        return r"text of 1 to 4096 characters with the escapes \r \n \t \0 \\ and \xHH"

    def brief(self) -> str:
        return r"text with the escapes ``\r \n \t \0 \\`` and ``\xHH``"

    def parse(self, text: str, what: str) -> str:
        if not 1 <= len(text) <= MAX_TEXT:
            raise ModelError(f"{what} is {quoted(text)}; it is {self.describe()}")
        unescaped(text, what)
        return text


@dataclass(frozen=True, slots=True)
class Statuses(PlainKind):
    """
    Status codes of HTTP: C{200}, C{200-399}, C{200-299,304}.
    """

    def describe(self) -> str:
        return "status codes and ranges of them, such as 200-399 or 200,204,301-302"

    def parse(self, text: str, what: str) -> str:
        compact = text.replace(" ", "")
        if len(text) > MAX_TEXT or not _STATUSES.match(compact):
            raise self.wrong(text, what)
        if any(least > most for least, most in ranges(compact)):
            raise self.wrong(text, what)
        return compact


def ranges(statuses: str) -> list[tuple[int, int]]:
    """
    Return the ranges of L{Statuses}, as pairs of the least and the most.
    """
    found = []
    for part in statuses.split(","):
        least, _, most = part.partition("-")
        found.append((int(least), int(most or least)))
    return found


def unescaped(text: str, what: str) -> bytes:
    """
    Return the bytes that a text with escapes stands for.

    @raise ModelError: a backslash begins no known escape.
    """
    parts: list[bytes] = []
    rest = text
    while rest:
        before, backslash, after = rest.partition("\\")
        parts.append(before.encode("utf-8", "surrogateescape"))
        if not backslash:
            break
        escape = _ESCAPE.match(backslash + after)
        if escape is None:
            raise ModelError(
                rf"{what} is {quoted(text)}; a backslash begins one of \r \n \t \0 \\ \xHH"
            )
        word = escape[1]
        parts.append(_SIMPLE[word] if word in _SIMPLE else bytes([int(word[1:], 16)]))
        rest = after[len(word) :]
    return b"".join(parts)


def shown(data: bytes, most: int = 60) -> str:
    """
    Return some bytes of a host as text for the log: one line, without control characters, and
    at most so many bytes of it.
    """
    text = data[:most].decode("utf-8", "backslashreplace")
    return ascii(text) if len(data) <= most else f"{text!a}…"
