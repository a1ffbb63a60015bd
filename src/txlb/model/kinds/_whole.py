"""
Whole numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from txlb.model.kinds._numerals import withZero
from txlb.model.kinds._plain import PlainKind

_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,18}\s*\Z")


@dataclass(frozen=True, slots=True)
class Whole(PlainKind):
    """
    A whole number in a range.

    @ivar unit: the unit that it counts; C{""} for mere numbers.
    @ivar zero: the meaning of 0, if 0 is no mere number. It need not be in the range.
    """

    least: int
    most: int
    unit: str = ""
    zero: str = ""

    def describe(self) -> str:
        unit = f" of {self.unit}" if self.unit else ""
        text = f"a whole number{unit} from {self.least} to {self.most}"
        return f"{text}, or 0 for {self.zero}" if self.zero else text

    def check(self, value: object, what: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not self._holds(value):
            raise self.wrongValue(value, what)
        return value

    def parse(self, text: str, what: str) -> int:
        value = int(text) if _WHOLE.match(text) else None
        if value is None or not self._holds(value):
            raise self.wrong(text, what)
        return value

    def _holds(self, value: int) -> bool:
        return self.least <= value <= self.most or bool(self.zero and not value)

    def show(self, value: Any) -> str:
        return withZero(f"{value} {self.unit}".strip(), value, self.zero)
