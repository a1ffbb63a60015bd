"""
Arguments of commands, and the kinds of their values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from txlb.errors import ModelError, nearest

#: The longest text of an argument, in characters.
MAX_TEXT = 4096

#: The default of an argument that has to be given.
REQUIRED = object()

#: Words by which an administrator says whether C{txlb health} may say that the balancer serves.
ANSWERS = ("ok", "fail")

#: Seconds of a day: the longest time that a drain may be given.
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Kind:
    """
    A kind of values.

    @ivar word: the kind's name in the reference.
    @ivar type: the Python type of its values.
    @ivar read: makes a value of a text, or raises L{ValueError} or L{KeyError}.
    @ivar wanted: a description of right values, for messages.
    @ivar fits: whether a value from a Python prompt is one of this kind.
    @ivar completes: the things whose names complete values of this kind: C{service},
        C{group}, C{host}, C{listener}, C{scheduler}, C{check}, C{answer}, C{file} or C{time};
        empty for nothing.
    @ivar secret: whether no log may show values. The Python prompt logs its lines, so it has no
        command with such an argument.
    @ivar settingsOf: if values are settings by their names: the thing that they are
        settings of, see L{txlb.admin._settings}.
    """

    word: str
    type: type
    read: Callable[[str], object]
    wanted: str
    fits: Callable[[object], bool]
    completes: str = ""
    settingsOf: str = ""
    secret: bool = False


def _whole(text: str) -> int:
    return int(text) if len(text) <= 20 else int("too long")


def _isWhole(value: object) -> bool:
    # To Python a boolean is a number.
    return isinstance(value, int) and not isinstance(value, bool)


def _weight(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text[:9]) > 65535:
        raise ValueError(text)
    return int(text)


def _secondsUpTo(most: float) -> Callable[[str], float]:
    def seconds(text: str) -> float:
        # The model needs time to load, which most command lines do not have to wait for.
        from txlb.model.kinds import secondsOf  # noqa: PLC0415  (see above)

        value = secondsOf(text)
        if value is None:
            # As a program may write a number: 1e-05.
            value = float(text)
        if not math.isfinite(value) or not 0 <= value <= most:
            raise ValueError(text)
        return value

    return seconds


def _isSecondsUpTo(most: float) -> Callable[[object], bool]:
    def fits(value: object) -> bool:
        return (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and math.isfinite(value)
            and 0 <= value <= most
        )

    return fits


def _flag(text: str) -> bool:
    # The words of AMP's own booleans first.
    return {"True": True, "False": False, "yes": True, "no": False}[text]


def _answer(text: str) -> str:
    if text not in ANSWERS:
        raise ValueError(text)
    return text


def _settings(text: str) -> dict[str, str]:
    settings = json.loads(text)
    if not isinstance(settings, dict) or not all(
        isinstance(each, str) for each in settings.values()
    ):
        raise ValueError(text)
    return settings


def _settingsKind(settingsOf: str) -> Kind:
    return Kind(
        "settings",
        dict,
        _settings,
        "a JSON object of texts",
        lambda value: isinstance(value, dict),
        settingsOf=settingsOf,
    )


def _anything(_value: object) -> bool:
    # The command that takes a text names a mistake in it.
    return True


def _text(completes: str = "") -> Kind:
    return Kind("text", str, str, "a text", _anything, completes)


#: The units of L{txlb.model.kinds.UNITS_SHOWN}, which is not loaded for this alone.
_UNITS_SHOWN = "500ms, 2s, 5m, 1h or 1d"

TEXT = _text()
SECRET = Kind("text", str, str, "a text", _anything, secret=True)
SERVICE = _text("service")
GROUP = _text("group")
HOST = _text("host")
LISTENER = _text("listener")
SCHEDULER = _text("scheduler")
CHECK = _text("check")
FILE = _text("file")
WHOLE = Kind("whole number", int, _whole, "a whole number", _isWhole)
WEIGHT = Kind("whole number", int, _weight, "a whole number from 0 to 65535", _isWhole)
SECONDS = Kind(
    "time",
    float,
    _secondsUpTo(math.inf),
    f"a number of seconds, 0 or more, or a time with a unit, as in {_UNITS_SHOWN}",
    _isSecondsUpTo(math.inf),
    "time",
)
DEADLINE = Kind(
    "time",
    float,
    _secondsUpTo(DAY),
    f"a number of seconds from 0 to 86400, or a time with a unit, as in {_UNITS_SHOWN}",
    _isSecondsUpTo(DAY),
    "time",
)
ANSWER = Kind("word", str, _answer, "ok or fail", lambda value: value in ANSWERS, "answer")
FLAG = Kind("boolean", bool, _flag, "True or False", lambda value: isinstance(value, bool))

HOST_SETTINGS = _settingsKind("host")
GROUP_SETTINGS = _settingsKind("group")
SCHEDULER_SETTINGS = _settingsKind("scheduler")
ADMISSION_SETTINGS = _settingsKind("admission")
CHECK_SETTINGS = _settingsKind("check")

#: Kinds that together name one thing on a command line: C{SERVICE/GROUP/HOST}.
PATH_KINDS = (SERVICE, GROUP, HOST)


@dataclass(frozen=True, slots=True)
class Argument:
    """
    One argument of a command.

    @ivar doc: its meaning, for the reference and the help.
    @ivar default: the value if it is not given; L{REQUIRED} if it has to be.
    @ivar option: its spelling on a command line, if that is not made of the name.
    @ivar inPlace: whether it has a place on a command line although it may be left out.
    """

    name: str
    kind: Kind
    doc: str
    default: object = REQUIRED
    option: str = ""
    inPlace: bool = False

    @property
    def required(self) -> bool:
        """
        Whether it has to be given.
        """
        return self.default is REQUIRED

    def verified(self, value: object) -> object:
        """
        Check that a value from a Python prompt is of the argument's kind. Texts are
        left to the command, which names a mistake in one. A time may be a text,
        as one with a unit is.

        @return: the value.
        @raise ModelError: it is not.
        """
        kind = self.kind
        if value is self.default:
            return value
        if kind.type is float and isinstance(value, str):
            return self.read(value)
        if not kind.fits(value):
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
    arguments: Sequence[Argument],
    texts: Mapping[str, Any],
    command: str,
    read: Callable[[Argument, Any], object] = Argument.read,
) -> dict[str, object]:
    """
    Make values of texts from outside.

    @param command: the command's name, for messages.
    @param read: makes the value of an argument, if what is given are no texts.
    @return: a value for each argument.
    @raise ModelError: one is missing, wrong, or not known.
    """
    known = [argument.name for argument in arguments]
    for name in texts:
        if name not in known:
            hint = nearest(name, known)
            remedy = f"did you mean {hint!r}?" if hint else f"it has: {', '.join(known) or 'none'}"
            raise ModelError(f"{command} has no argument {name[:80]!r}; {remedy}")
    values: dict[str, object] = {}
    for argument in arguments:
        if argument.name in texts:
            values[argument.name] = read(argument, texts[argument.name])
        elif argument.required:
            raise ModelError(f"{command} needs {argument.name}: {argument.doc}")
        else:
            values[argument.name] = argument.default
    return values
