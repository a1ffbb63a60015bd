"""
Reading plain values that another process has written.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import TypeVar

from txlb.errors import StateError, shortened

#: The longest text, in characters.
MOST_TEXT = 65_536

#: Whole numbers are below this, as those of 64 bits are.
MOST_WHOLE = 1 << 63

#: Seconds of a day, the longest time that a setting can have.
DAY = 86_400.0

_Word = TypeVar("_Word", bound=Enum)


class Facts:
    """
    A dictionary of plain values, read with care. A key that is missing stands for the value that
    the reader says. Keys that are never read have no effect. A value of the wrong kind or out of
    its range is refused.

    @param values: the dictionary.
    @param where: what it says something of, for error messages.
    @raise StateError: it is no dictionary, or a key is no text.
    """

    __slots__ = ("values", "where")

    def __init__(self, values: object, where: str) -> None:
        if not isinstance(values, Mapping):
            raise StateError(f"the state of {where} is {_shown(values)}; it is a dictionary")
        self.values: Mapping[str, object] = values
        self.where = where

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def number(
        self, key: str, usual: float = 0.0, least: float = -math.inf, most: float = math.inf
    ) -> float:
        """
        Read a number that is finite.

        @raise StateError: it is something else, or out of its range.
        """
        value = self.values.get(key, usual)
        if type(value) is float or type(value) is int:
            # Infinity and what is no number are in no range, and no float is as large as some
            # whole numbers.
            if abs(value) < MOST_WHOLE and least <= value <= most:
                return float(value)
        raise self.wrong(key, "a number" if least == -math.inf else f"a number from {least:g}")

    def time(self, key: str) -> float | None:
        """
        Read a time, or the absence of one.

        @raise StateError: it is something else.
        """
        return None if self.values.get(key) is None else self.number(key)

    def past(self, key: str, usual: float, now: float) -> float:
        """
        Read the time of something that has happened.

        @raise StateError: it is something else, or still to come.
        """
        value = self.values.get(key, usual)
        if type(value) is float or type(value) is int:
            if -MOST_WHOLE < value <= now:
                return float(value)
        raise self.wrong(key, f"a time of the monotonic clock, which is {now:.3f} now")

    def coming(self, key: str, usual: float, now: float, within: float = DAY) -> float:
        """
        Read the time of something that is planned. It may be over.

        @param within: the most seconds until then.
        @raise StateError: it is something else, or too far away.
        """
        return self.number(key, usual, most=now + within)

    def whole(self, key: str, usual: int = 0, least: int = 0) -> int:
        """
        Read a whole number.

        @raise StateError: it is something else, or out of its range.
        """
        value = self.values.get(key, usual)
        if type(value) is int and least <= value < MOST_WHOLE:
            return value
        raise self.wrong(key, f"a whole number from {least}")

    def text(self, key: str, usual: str = "") -> str:
        """
        Read a text.

        @raise StateError: it is something else, or too long.
        """
        value = self.values.get(key, usual)
        if type(value) is str and len(value) <= MOST_TEXT:
            return value
        raise self.wrong(key, f"a text of at most {MOST_TEXT} characters")

    def flag(self, key: str, usual: bool = False) -> bool:
        """
        Read a boolean.

        @raise StateError: it is something else.
        """
        value = self.values.get(key, usual)
        if type(value) is bool:
            return value
        raise self.wrong(key, "true or false")

    def word(self, key: str, words: type[_Word], usual: _Word) -> _Word:
        """
        Read one of some words.

        @raise StateError: it is none of them.
        """
        value = self.values.get(key, usual.value)
        if type(value) is str:
            try:
                return words(value)
            except ValueError:
                pass
        raise self.wrong(key, "one of " + ", ".join(str(each.value) for each in words))

    def inside(self, key: str) -> Facts:
        """
        Read a dictionary.

        @return: an empty one if the key is missing.
        @raise StateError: it is something else.
        """
        return Facts(self.values.get(key, {}), f"{key} of {self.where}")

    def each(self, key: str) -> Iterator[tuple[str, Facts]]:
        """
        Read a dictionary of dictionaries.

        @raise StateError: it is something else.
        """
        found = self.inside(key)
        for name, value in found.values.items():
            if type(name) is not str:
                raise found.wrong(key, "a dictionary whose keys are texts")
            yield name, Facts(value, name)

    def items(self, key: str, most: int = 1_000_000) -> Sequence[object]:
        """
        Read a list.

        @param most: how many items it may have.
        @return: an empty one if the key is missing.
        @raise StateError: it is something else, or too long.
        """
        value = self.values.get(key, ())
        if isinstance(value, (list, tuple)) and len(value) <= most:
            return value
        raise self.wrong(key, f"a list of at most {most} items")

    def wholes(self, key: str) -> list[int]:
        """
        Read a list of whole numbers, each 0 or more.

        @raise StateError: it is something else.
        """
        found: list[int] = []
        for each in self.items(key):
            if type(each) is not int or not 0 <= each < MOST_WHOLE:
                raise self.wrong(key, "a list of whole numbers")
            found.append(each)
        return found

    def texts(self, key: str, most: int = 1_000_000) -> list[str]:
        """
        Read a list of texts.

        @raise StateError: it is something else.
        """
        found: list[str] = []
        for each in self.items(key, most):
            if type(each) is not str or len(each) > MOST_TEXT:
                raise self.wrong(key, "a list of texts")
            found.append(each)
        return found

    def wrong(self, key: str, rule: str) -> StateError:
        """
        Make the error about a value.

        @param rule: what it should be.
        """
        shown = _shown(self.values.get(key))
        return StateError(f"{key} of {self.where} is {shown}; it is {rule}; nothing was taken over")


def _shown(value: object) -> str:
    return shortened(repr(value)) if isinstance(value, (str, int, float)) else type(value).__name__
