"""
The base class of numbers in a range.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from txlb.model.kinds._numerals import decimal, withZero
from txlb.model.kinds._plain import PlainKind


@dataclass(frozen=True, slots=True)
class Range(PlainKind):
    """
    Numbers in a range.

    @cvar noun: the name of such numbers in messages.
    @cvar types: the types of the values that a program may give.
    @cvar pattern: describes the texts that a file may have.
    @cvar make: makes a value of one of these types, or of such a text.
    @ivar least: the least number.
    @ivar most: the greatest number.
    @ivar unit: the unit that it counts, as in "connections a second"; C{""} for mere
        numbers.
    @ivar zero: the meaning of 0, if 0 is no mere number. It need not be in the range.
    """

    noun: ClassVar[str]
    types: ClassVar[tuple[type, ...]]
    pattern: ClassVar[re.Pattern[str]]
    make: ClassVar[type[int | float]]

    least: float
    most: float
    unit: str = ""
    zero: str = ""

    def describe(self) -> str:
        unit = f" of {self.unit}" if self.unit else ""
        text = f"{self.noun}{unit} from {decimal(self.least)} to {decimal(self.most)}"
        return f"{text}, or 0 for {self.zero}" if self.zero else text

    def check(self, value: Any, what: str) -> Any:
        isNumber = isinstance(value, self.types) and not isinstance(value, bool)
        if not isNumber or not self._holds(value):
            raise self.wrongValue(value, what)
        return self.make(value)

    def parse(self, text: str, what: str) -> Any:
        value = self.make(text) if self.pattern.match(text) else None
        if value is None or not self._holds(value):
            raise self.wrong(text, what)
        return value

    def _holds(self, value: Any) -> bool:
        return self.least <= value <= self.most or bool(self.zero and not value)

    def write(self, value: Any, before: str | None = None) -> str:
        return decimal(value)

    def show(self, value: Any) -> str:
        return withZero(f"{self.write(value)} {self.unit}".strip(), value, self.zero)
