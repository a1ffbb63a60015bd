"""
What a command is told: arguments with kinds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from txlb.errors import ModelError, nearest
from txlb.model.kinds import UNITS_SHOWN, secondsOf

#: The longest text of an argument, in characters.
MAX_TEXT = 4096

#: Stands for "it has to be given".
REQUIRED = object()


@dataclass(frozen=True, slots=True)
class Kind:
    """
    What an argument's value is.

    @ivar word: what it is called in the reference.
    @ivar type: the Python type of its values.
    @ivar read: makes a value of a text, or raises L{ValueError}.
    @ivar wanted: what would be right, for messages.
    """

    word: str
    type: type
    read: Callable[[str], object]
    wanted: str


def _whole(text: str) -> int:
    return int(text) if len(text) <= 20 else int("too long")


def _seconds(text: str) -> float:
    value = secondsOf(text)
    if value is None:
        # As a program may write a number: 1e-05.
        value = float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError(text)
    return value


def _flag(text: str) -> bool:
    # The words of AMP's own booleans first.
    return {"True": True, "False": False, "yes": True, "no": False}[text]


TEXT = Kind("text", str, str, "a text")
WHOLE = Kind("whole number", int, _whole, "a whole number")
SECONDS = Kind(
    "time",
    float,
    _seconds,
    f"a number of seconds, 0 or more, or a time with a unit, as in {UNITS_SHOWN}",
)
FLAG = Kind("boolean", bool, _flag, "True or False")


@dataclass(frozen=True, slots=True)
class Argument:
    """
    One thing that a command is told.

    @ivar doc: what it means, for the reference and the help.
    @ivar default: what holds where it is not given; L{REQUIRED} where it must be.
    """

    name: str
    kind: Kind
    doc: str
    default: object = REQUIRED

    @property
    def required(self) -> bool:
        """
        Whether it has to be given.
        """
        return self.default is REQUIRED

    def verified(self, value: object) -> object:
        """
        See that a value from a Python prompt is of the argument's kind. Texts are
        left to the command, which names what is wrong with one. A time may be a text,
        as one with a unit is.

        @return: the value.
        @raise ModelError: it is not.
        """
        kind = self.kind
        if kind.type is str or value is self.default:
            return value
        if kind is SECONDS and isinstance(value, str):
            return self.read(value)
        if kind.type is bool:
            fits = isinstance(value, bool)
        elif isinstance(value, bool):
            # To Python that is a number.
            fits = False
        elif kind.type is int:
            fits = isinstance(value, int)
        else:
            fits = isinstance(value, (int, float)) and 0 <= value < math.inf
        if not fits:
            raise ModelError(f"{self.name} is {value!r:.80}; it is {kind.wanted}")
        return value

    def read(self, text: str) -> object:
        """
        Make a value of a text from outside.

        @raise ModelError: it is none.
        """
        if len(text) > MAX_TEXT:
            raise ModelError(f"{self.name} has at most {MAX_TEXT} characters")
        try:
            return self.kind.read(text)
        except (ValueError, KeyError):
            raise ModelError(f"{self.name}: {text[:80]!r} is not {self.kind.wanted}") from None


def readArguments(
    arguments: Sequence[Argument], texts: Mapping[str, str], what: str
) -> dict[str, object]:
    """
    Make values of texts from outside.

    @param what: the command's name, for messages.
    @return: a value for each argument.
    @raise ModelError: one is missing, wrong, or not known.
    """
    known = [argument.name for argument in arguments]
    for name in texts:
        if name not in known:
            hint = nearest(name, known)
            remedy = f"did you mean {hint!r}?" if hint else f"it has: {', '.join(known) or 'none'}"
            raise ModelError(f"{what} has no argument {name[:80]!r}; {remedy}")
    values: dict[str, object] = {}
    for argument in arguments:
        if argument.name in texts:
            values[argument.name] = argument.read(texts[argument.name])
        elif argument.required:
            raise ModelError(f"{what} needs {argument.name}: {argument.doc}")
        else:
            values[argument.name] = argument.default
    return values
