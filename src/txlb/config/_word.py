"""
The kind of values that are words for variants.
"""

from __future__ import annotations

from dataclasses import dataclass

from txlb.config._words import Words
from txlb.errors import ModelError, nearest
from txlb.model.kinds import PlainKind


@dataclass(frozen=True, slots=True)
class Word(PlainKind):
    """
    A word that stands for a variant.

    @ivar words: all such words.
    """

    words: Words

    def describe(self) -> str:
        known = self.words.known()
        if not known:
            return "a word that is known once txlb.application was imported"
        return f"one of {', '.join(known)}"

    def parse(self, text: str, what: str) -> str:
        plugins = self.words.missing(text)
        if plugins is not None:
            hint = nearest(text, self.words.known())
            more = f"; did you mean {hint!r}?" if hint else ""
            if plugins:
                more += f" ({plugins})"
            raise ModelError(f"{self.wrong(text, what)}{more}")
        return text
