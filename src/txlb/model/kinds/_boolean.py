"""
True or false.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from txlb.model.kinds._plain import PlainKind

#: Pairs of words for true and false, each read in any case.
BOOLEAN_PAIRS = (
    ("true", "false"),
    ("yes", "no"),
    ("on", "off"),
    ("enable", "disable"),
    ("1", "0"),
)

_TRUE = frozenset(pair[0] for pair in BOOLEAN_PAIRS)
_FALSE = frozenset(pair[1] for pair in BOOLEAN_PAIRS)


@dataclass(frozen=True, slots=True)
class Boolean(PlainKind):
    """
    True or false, in the words of version 1.1.0.
    """

    def describe(self) -> str:
        trues, falses = zip(*BOOLEAN_PAIRS, strict=True)
        return f"one of {', '.join(trues)} or of {', '.join(falses)}"

    def brief(self) -> str:
        return "true or false"

    def check(self, value: object, what: str) -> bool:
        if not isinstance(value, bool):
            raise self.wrongValue(value, what)
        return value

    def parse(self, text: str, what: str) -> bool:
        word = text.lower()
        if word not in _TRUE | _FALSE:
            raise self.wrong(text, what)
        return word in _TRUE

    def write(self, value: Any, before: str | None = None) -> str:
        """
        Write a word of the pair that is written there now: a file that says C{on} gets
        C{off}.
        """
        for pair in BOOLEAN_PAIRS:
            if before is not None and before.lower() in pair:
                break
        else:
            pair = BOOLEAN_PAIRS[0]
        return pair[0] if value else pair[1]
