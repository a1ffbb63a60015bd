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
_DIGITS = r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})"
_NUMBER = re.compile(rf"\s*{_DIGITS}\s*\Z")
_TIME = re.compile(rf"\s*({_DIGITS})(ms|[smhd]?)\s*\Z")

#: The units that a time may have, the longest first, with their seconds. They are those of
#: HAProxy and nginx, in lower case as there: M would be a month to some.
UNITS = {
    "d": Decimal(86_400),
    "h": Decimal(3600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
}

#: How people are told of them.
UNITS_SHOWN = "500ms, 2s, 5m, 1h or 1d"


#: What is shown in the place of a secret.
HIDDEN = "(not shown)"

#: What the hash of a password looks like, wherever it stands: C{$}, the word for the kind of
#: hash, and C{$} or C{,}.
HASH = re.compile(r"\$[0-9A-Za-z-]{1,20}[$,][^\s\"'<>]*")


def quoted(text: str) -> str:
    """
    A value as a message shows it, cut if it is long.
    """
    return repr(shortened(text, MAX_QUOTED))


class SecretText(str):
    """
    A text that is used and written to files, but shown nowhere. As every C{str} it can be
    formatted; what shows values asks L{textOf}.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return HIDDEN


def textOf(value: object) -> str:
    """
    A value as a text for people.
    """
    return HIDDEN if isinstance(value, SecretText) else str(value)


def secondsOf(text: str) -> float | None:
    """
    The seconds of a time: of a number of seconds, or of a number with a unit behind it.

    @return: L{None} if it is none.
    """
    found = _TIME.match(text)
    if found is None:
        return None
    number, unit = found.groups()
    return float(Decimal(number) * UNITS[unit]) if unit else float(number)


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
        Say in a few words which values are allowed.
        """
        raise NotImplementedError

    def brief(self) -> str:
        """
        Name the kind for a usage line.
        """
        return self.describe()

    def write(self, value: Any, before: str | None = None) -> str:
        """
        Render a value for a file.
        """
        return str(value)

    def show(self, value: Any) -> str:
        """
        Render a value for a person.
        """
        return self.write(value)

    def wrong(self, text: str, what: str) -> ModelError:
        """
        The error for a text that is none of this kind.
        """
        return ModelError(f"{what} is {quoted(text)}; it is {self.describe()}")


class SecretKind(PlainKind):
    """
    A kind whose values are secrets: no message, view or log shows them, nor does a
    difference between files.
    """

    def show(self, value: Any) -> str:
        """
        Render a value for a person, without the secret.
        """
        return HIDDEN

    def wrong(self, text: str, what: str) -> ModelError:
        return ModelError(f"{what} is wrong; it is {self.describe()}")


@dataclass(frozen=True, slots=True)
class Secret(SecretKind):
    """
    Values of another kind that are secrets, such as a token.

    @ivar of: the other kind. Its values are texts.
    """

    of: Kind

    def describe(self) -> str:
        return self.of.describe()

    def brief(self) -> str:
        return self.of.brief()

    def parse(self, text: str, what: str) -> SecretText:
        try:
            return SecretText(self.of.parse(text, what))
        except ModelError:
            # Its message may quote the text.
            raise self.wrong(text, what) from None


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

    def parse(self, text: str, what: str) -> bool:
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
        unit = f" of {self.unit}" if self.unit else ""
        text = f"a whole number{unit} from {self.least} to {self.most}"
        return f"{text}, or 0 for {self.zero}" if self.zero else text

    def parse(self, text: str, what: str) -> int:
        value = int(text) if _WHOLE.match(text) else None
        if value is None or not (self.least <= value <= self.most or (self.zero and not value)):
            raise self.wrong(text, what)
        return value

    def show(self, value: Any) -> str:
        return _withZero(f"{value} {self.unit}".strip(), value, self.zero)


@dataclass(frozen=True, slots=True)
class Seconds(PlainKind):
    """
    A time, in a range: a number of seconds, or one with a unit.

    @ivar least: in seconds, as C{most}.
    @ivar zero: what 0 stands for, where that is something of its own.
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
        return f"a number of seconds from {_decimal(self.least)} to {_decimal(self.most)}"

    def parse(self, text: str, what: str) -> float:
        value = secondsOf(text)
        if value is None or not self.least <= value <= self.most:
            raise self.wrong(text, what)
        return value

    def write(self, value: Any, before: str | None = None) -> str:
        """
        See L{Kind.write}. If there was a unit, there is one again: the same, or a smaller
        one if the time is not a whole number of it.
        """
        found = None if before is None else _TIME.match(before)
        if found is None or not found[2]:
            return _decimal(value)
        units = list(UNITS)
        for unit in units[units.index(found[2]) :]:
            number = Decimal(repr(float(value))) / UNITS[unit]
            text = f"{number:f}".partition(".")[0] + unit
            if secondsOf(text) == value:
                return text
        return f"{_decimal(value)}s"

    def show(self, value: Any) -> str:
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
        return f"a number from {_decimal(self.least)} to {_decimal(self.most)}, or 0 for off"

    def parse(self, text: str, what: str) -> float:
        value = float(text) if _NUMBER.match(text) else None
        if value is None or not (value == 0 or self.least <= value <= self.most):
            raise self.wrong(text, what)
        return value

    def write(self, value: Any, before: str | None = None) -> str:
        return _decimal(value)

    def show(self, value: Any) -> str:
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
        unit = f" of {self.unit}" if self.unit else ""
        return f"a number{unit} from {_decimal(self.least)} to {_decimal(self.most)}"

    def parse(self, text: str, what: str) -> float:
        value = float(text) if _NUMBER.match(text) else None
        if value is None or not self.least <= value <= self.most:
            raise self.wrong(text, what)
        return value

    def write(self, value: Any, before: str | None = None) -> str:
        return _decimal(value)

    def show(self, value: Any) -> str:
        return f"{_decimal(value)} {self.unit}".strip()


@dataclass(frozen=True, slots=True)
class Word(PlainKind):
    """
    One of a few words.
    """

    words: tuple[str, ...]

    def describe(self) -> str:
        return f"{', '.join(self.words[:-1])} or {self.words[-1]}"

    def parse(self, text: str, what: str) -> str:
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
