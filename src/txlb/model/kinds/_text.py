"""
Texts that a pattern describes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from txlb.model.kinds._plain import PlainKind

#: The longest text of an option, in characters.
MAX_TEXT = 4096


@dataclass(frozen=True, slots=True)
class Text(PlainKind):
    """
    A text of at most 4096 characters that a pattern describes.

    @ivar pattern: a regular expression for all of it.
    @ivar description: describes a right text, to follow on "it is".
    """

    pattern: str
    description: str

    def describe(self) -> str:
        return self.description

    def parse(self, text: str, what: str) -> str:
        if len(text) > MAX_TEXT or not re.fullmatch(self.pattern, text):
            raise self.wrong(text, what)
        return text
