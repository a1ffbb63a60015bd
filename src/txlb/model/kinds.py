"""
The kinds of values that a setting can have as text, how each is read, written
and described. What adds settings of its own to a configuration file, such as a
kind of health check, says by these what they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from txlb.errors import MOST_SHOWN, ModelError, shortened

#: Pairs of words for true and false, each read in any case.
BOOLEAN_PAIRS = (
    ("true", "false"),
    ("yes", "no"),
    ("on", "off"),
    ("enable", "disable"),
    ("1", "0"),
)

#: How much of a wrong value a message quotes, in characters.
MAX_QUOTED = MOST_SHOWN

_TRUE = frozenset(pair[0] for pair in BOOLEAN_PAIRS)
_FALSE = frozenset(pair[1] for pair in BOOLEAN_PAIRS)
_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,18}\s*\Z")
_NUMBER = re.compile(r"\s*[+-]?([0-9]{1,18}(\.[0-9]{0,400})?|\.[0-9]{1,400})\s*\Z")


def quoted(text: str) -> str:
    """
    A value as a message shows it, cut where it is long.
    """
    return repr(shortened(text, MAX_QUOTED))


class Kind(Protocol):
    """
    One kind of value.
    """

    def describe(self) -> str:
        """
        What a right value is, to follow on "it is".
        """

    def brief(self) -> str:
        """
        The same in fewer words, for pages that say the rest elsewhere.
        """

    def parse(self, text: str, what: str) -> Any:
        """
        Read a value.

        @param what: what it is the value of, for the message.
        @raise ModelError: C{text} is no value of this kind.
        """

    def write(self, value: Any, before: str | None = None) -> str:
        """
        Write a value, so that L{parse} gives it back.

        @param before: what is written there now, whose style is kept.
        """

    def show(self, value: Any) -> str:
        """
        A value as it is shown to people.
        """


class PlainKind:
    """
    A kind whose values are written and shown as C{str} does it.
    """

    def describe(self) -> str:
        """
        See L{Kind.describe}.
        """
        raise NotImplementedError

    def brief(self) -> str:
        """
        See L{Kind.brief}.
        """
        return self.describe()

    def write(self, value: Any, before: str | None = None) -> str:
        """
        See L{Kind.write}.
        """
        return str(value)

    def show(self, value: Any) -> str:
        """
        See L{Kind.show}.
        """
        return self.write(value)

    def wrong(self, text: str, what: str) -> ModelError:
        """
        The error for a text that is none of this kind.
        """
        return ModelError(f"{what} is {quoted(text)}; it is {self.describe()}")


@dataclass(frozen=True, slots=True)
class Boolean(PlainKind):
    """
    True or false, in the words of version 1.1.0.
    """

    def describe(self) -> str:
        """
        See L{Kind.describe}.
        """
        trues, falses = zip(*BOOLEAN_PAIRS, strict=True)
        return f"one of {', '.join(trues)} or of {', '.join(falses)}"

    def brief(self) -> str:
        """
        See L{Kind.brief}.
        """
        return "true or false"

    def parse(self, text: str, what: str) -> bool:
        """
        See L{Kind.parse}.
        """
        word = text.lower()
        if word not in _TRUE | _FALSE:
            raise self.wrong(text, what)
        return word in _TRUE

    def write(self, value: Any, before: str | None = None) -> str:
        """
        See L{Kind.write}. A file that says C{on} gets C{off}.
        """
        for pair in BOOLEAN_PAIRS:
            if before is not None and before.lower() in pair:
                break
        else:
            pair = BOOLEAN_PAIRS[0]
        return pair[0] if value else pair[1]


@dataclass(frozen=True, slots=True)
class Whole(PlainKind):
    """
    A whole number in a range.

    @ivar unit: what it counts; C{""} for mere numbers.
    @ivar zero: what 0 stands for, where that is something of its own.
    """

    least: int
    most: int
    unit: str = ""
    zero: str = ""

    def describe(self) -> str:
        """
        See L{Kind.describe}.
        """
        unit = f" of {self.unit}" if self.unit else ""
        text = f"a whole number{unit} from {self.least} to {self.most}"
        return f"{text}, or 0 for {self.zero}" if self.zero else text

    def parse(self, text: str, what: str) -> int:
        """
        See L{Kind.parse}.
        """
        value = int(text) if _WHOLE.match(text) else None
        if value is None or not (self.least <= value <= self.most or (self.zero and not value)):
            raise self.wrong(text, what)
        return value

    def show(self, value: Any) -> str:
        """
        See L{Kind.show}.
        """
        return _withZero(f"{value} {self.unit}".strip(), value, self.zero)


@dataclass(frozen=True, slots=True)
class Seconds(PlainKind):
    """
    A time in seconds, in a range.

    @ivar zero: what 0 stands for, where that is something of its own.
    """

    least: float
    most: float
    zero: str = ""

    def describe(self) -> str:
        """
        See L{Kind.describe}.
        """
        text = f"a number of seconds from {_decimal(self.least)} to {_decimal(self.most)}"
        return f"{text}; 0 stands for {self.zero}" if self.zero else text

    def parse(self, text: str, what: str) -> float:
        """
        See L{Kind.parse}.
        """
        value = float(text) if _NUMBER.match(text) else None
        if value is None or not self.least <= value <= self.most:
            raise self.wrong(text, what)
        return value

    def write(self, value: Any, before: str | None = None) -> str:
        """
        See L{Kind.write}.
        """
        return _decimal(value)

    def show(self, value: Any) -> str:
        """
        See L{Kind.show}.
        """
        return _withZero(f"{_decimal(value)} s", value, self.zero)


@dataclass(frozen=True, slots=True)
class Factor(PlainKind):
    """
    How many times something may be as much as something else, in a range; or
    0 for off.
    """

    least: float
    most: float

    def describe(self) -> str:
        """
        See L{Kind.describe}.
        """
        return f"a number from {_decimal(self.least)} to {_decimal(self.most)}, or 0 for off"

    def parse(self, text: str, what: str) -> float:
        """
        See L{Kind.parse}.
        """
        value = float(text) if _NUMBER.match(text) else None
        if value is None or not (value == 0 or self.least <= value <= self.most):
            raise self.wrong(text, what)
        return value

    def write(self, value: Any, before: str | None = None) -> str:
        """
        See L{Kind.write}.
        """
        return _decimal(value)

    def show(self, value: Any) -> str:
        """
        See L{Kind.show}.
        """
        return _withZero(_decimal(value), value, "off")


@dataclass(frozen=True, slots=True)
class Number(PlainKind):
    """
    A number in a range.

    @ivar unit: what it counts, as in "connections a second"; C{""} for mere
        numbers.
    """

    least: float
    most: float
    unit: str = ""

    def describe(self) -> str:
        """
        See L{Kind.describe}.
        """
        unit = f" of {self.unit}" if self.unit else ""
        return f"a number{unit} from {_decimal(self.least)} to {_decimal(self.most)}"

    def parse(self, text: str, what: str) -> float:
        """
        See L{Kind.parse}.
        """
        value = float(text) if _NUMBER.match(text) else None
        if value is None or not self.least <= value <= self.most:
            raise self.wrong(text, what)
        return value

    def write(self, value: Any, before: str | None = None) -> str:
        """
        See L{Kind.write}.
        """
        return _decimal(value)

    def show(self, value: Any) -> str:
        """
        See L{Kind.show}.
        """
        return f"{_decimal(value)} {self.unit}".strip()


@dataclass(frozen=True, slots=True)
class Word(PlainKind):
    """
    One of a few words.
    """

    words: tuple[str, ...]

    def describe(self) -> str:
        """
        See L{Kind.describe}.
        """
        return f"{', '.join(self.words[:-1])} or {self.words[-1]}"

    def parse(self, text: str, what: str) -> str:
        """
        See L{Kind.parse}.
        """
        if text not in self.words:
            raise self.wrong(text, what)
        return text


def _withZero(text: str, value: float, zero: str) -> str:
    return f"{text} ({zero})" if zero and not value else text


def _decimal(value: float) -> str:
    """
    A number without an exponent and without a fraction of nothing.
    """
    return format(Decimal(repr(float(value))), "f").removesuffix(".0")
