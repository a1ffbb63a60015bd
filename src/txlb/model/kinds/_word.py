"""
Words of a list.
"""

from __future__ import annotations

from dataclasses import dataclass

from txlb.model.kinds._plain import PlainKind


@dataclass(frozen=True, slots=True)
class Word(PlainKind):
    """
    One of a few words.
    """

    words: tuple[str, ...]

    def describe(self) -> str:
        return f"{', '.join(self.words[:-1])} or {self.words[-1]}"

    def check(self, value: object, what: str) -> str:
        if not isinstance(value, str) or value not in self.words:
            raise self.wrongValue(value, what)
        return value

    def parse(self, text: str, what: str) -> str:
        if text not in self.words:
            raise self.wrong(text, what)
        return text
