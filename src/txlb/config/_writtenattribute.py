"""
An attribute as it is written in a document.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: What XML takes as a character (XML 1.0, production 2).
_NO_CHARACTER = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}


_QUOTES = {'"': "&quot;", "'": "&apos;"}


def escaped(value: str, quote: str) -> str:
    """
    Escape a value as it stands between quotes.

    @param quote: the quotes: C{"} or C{'}.
    @raise ValueError: there is a character in it that XML does not allow.
    """
    wrong = _NO_CHARACTER.search(value)
    if wrong is not None:
        raise ValueError(f"there is a character {wrong[0]!r}, which XML does not allow")
    escapes = {**_ESCAPES, quote: _QUOTES[quote]}
    return "".join(escapes.get(letter, letter) for letter in value)


@dataclass(slots=True)
class WrittenAttribute:
    """
    One attribute of an element.

    @ivar before: the white space before its name.
    @ivar name: its name.
    @ivar equals: the equals sign, with the white space around it.
    @ivar quote: the quotes: C{"} or C{'}.
    @ivar raw: the text between them.
    """

    before: str
    name: str
    equals: str
    quote: str
    raw: str

    def __str__(self) -> str:
        return f"{self.before}{self.name}{self.equals}{self.quote}{self.raw}{self.quote}"
