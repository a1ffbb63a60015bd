"""
Whole numbers, or a word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from txlb.model.kinds._plain import PlainKind
from txlb.model.kinds._whole import Whole


@dataclass(frozen=True, slots=True)
class WholeOr(PlainKind):
    """
    A whole number in a range, or a word in its place.

    @ivar word: the word.
    @ivar means: the meaning of the word.
    """

    least: int
    most: int
    word: str
    means: str

    def describe(self) -> str:
        return f"{Whole(self.least, self.most).describe()}, or {self.word} for {self.means}"

    def check(self, value: object, what: str) -> Any:
        if value == self.word:
            return value
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrongValue(value, what)
        if not self.least <= value <= self.most:
            raise self.wrongValue(value, what)
        return value

    def parse(self, text: str, what: str) -> Any:
        if text == self.word:
            return text
        try:
            return Whole(self.least, self.most).parse(text, what)
        except ValueError:
            raise self.wrong(text, what) from None
