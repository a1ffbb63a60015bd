"""
Times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from txlb.model.kinds._numerals import DIGITS, decimal, withZero
from txlb.model.kinds._plain import PlainKind

_TIME = re.compile(rf"\s*({DIGITS})(ms|[smhd]?)\s*\Z")

#: The units that a time may have, the longest first, with their seconds. They are those of
#: HAProxy and nginx, in lower case as there: M would be a month to some.
UNITS = {
    "d": Decimal(86_400),
    "h": Decimal(3600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
}

#: Examples of times with units, for messages.
UNITS_SHOWN = "500ms, 2s, 5m, 1h or 1d"

#: The seconds of a day and of a week.
DAY = 86400.0
WEEK = 7 * DAY


def secondsOf(text: str) -> float | None:
    """
    Read a time: a number of seconds, or a number with a unit behind it.

    @return: the seconds; L{None} if the text is no time.
    """
    found = _TIME.match(text)
    if found is None:
        return None
    number, unit = found.groups()
    return float(Decimal(number) * UNITS[unit]) if unit else float(number)


@dataclass(frozen=True, slots=True)
class Seconds(PlainKind):
    """
    A time in a range: a number of seconds; in a file also a number with a unit.

    @ivar least: in seconds, as C{most}.
    @ivar zero: the meaning of 0, if 0 is no mere time.
    """

    least: float
    most: float
    zero: str = ""

    def describe(self) -> str:
        zero = f"; 0 stands for {self.zero}" if self.zero else ""
        return f"{self._range()}, or a time with a unit, as in {UNITS_SHOWN}{zero}"

    def brief(self) -> str:
        return f"{self._range()}; 0 stands for {self.zero}" if self.zero else self._range()

    def _range(self) -> str:
        return f"a number of seconds from {decimal(self.least)} to {decimal(self.most)}"

    def check(self, value: object, what: str) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.wrongValue(value, what)
        if not self.least <= value <= self.most:
            raise self.wrongValue(value, what)
        return float(value)

    def parse(self, text: str, what: str) -> float:
        value = secondsOf(text)
        if value is None or not self.least <= value <= self.most:
            raise self.wrong(text, what)
        return value

    def write(self, value: Any, before: str | None = None) -> str:
        """
        Write a time. If the text that is written there now has a unit, the new one has the
        same, or a smaller one if the time is not a whole number of it.
        """
        found = None if before is None else _TIME.match(before)
        if found is None or not found[2]:
            return decimal(value)
        units = list(UNITS)
        for unit in units[units.index(found[2]) :]:
            number = Decimal(repr(float(value))) / UNITS[unit]
            text = f"{number:f}".partition(".")[0] + unit
            if secondsOf(text) == value:
                return text
        return f"{decimal(value)}s"

    def show(self, value: Any) -> str:
        return withZero(f"{decimal(value)} s", value, self.zero)
