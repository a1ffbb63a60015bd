"""
Numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from txlb.model.kinds._numerals import DIGITS, decimal, withZero
from txlb.model.kinds._plain import PlainKind

_NUMBER = re.compile(rf"\s*{DIGITS}\s*\Z")


@dataclass(frozen=True, slots=True)
class Number(PlainKind):
    """
    A number in a range.

    @ivar unit: the unit that it counts, as in "connections a second"; C{""} for mere
        numbers.
    @ivar zero: the meaning of 0, if 0 is no mere number. It need not be in the range.
    """

    least: float
    most: float
    unit: str = ""
    zero: str = ""

    def describe(self) -> str:
        unit = f" of {self.unit}" if self.unit else ""
        text = f"a number{unit} from {decimal(self.least)} to {decimal(self.most)}"
        return f"{text}, or 0 for {self.zero}" if self.zero else text

    def check(self, value: object, what: str) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not self._holds(value):
            raise self.wrongValue(value, what)
        return float(value)

    def parse(self, text: str, what: str) -> float:
        value = float(text) if _NUMBER.match(text) else None
        if value is None or not self._holds(value):
            raise self.wrong(text, what)
        return value

    def _holds(self, value: float) -> bool:
        return self.least <= value <= self.most or bool(self.zero and not value)

    def write(self, value: Any, before: str | None = None) -> str:
        return decimal(value)

    def show(self, value: Any) -> str:
        return withZero(f"{decimal(value)} {self.unit}".strip(), value, self.zero)
