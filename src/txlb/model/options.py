"""
Settings that a kind of check, or of resource probe, has of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from txlb.errors import ModelError, UnknownName
from txlb.model.kinds import Kind, PlainKind

#: The longest text of an option, in characters.
MAX_TEXT = 4096


@dataclass(frozen=True, slots=True)
class Option:
    """
    One such setting. In a configuration file it is an attribute of C{<check>} or
    C{<resource>}.

    @ivar name: its name.
    @ivar kind: what its values are.
    @ivar doc: what it is for, in a sentence or two of reStructuredText.
    @ivar default: its value where it isn't given; L{None} for no value at all.
    @ivar defaultDoc: what to say of a default that isn't one fixed value.
    @ivar required: whether it has to be given.
    """

    name: str
    kind: Kind
    doc: str
    default: Any = None
    defaultDoc: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Text(PlainKind):
    """
    Text that a kind of check or probe has a use for.

    @ivar pattern: a regular expression for all of it.
    @ivar description: what a right one is.
    """

    pattern: str
    description: str

    def describe(self) -> str:
        return self.description

    def parse(self, text: str, what: str) -> str:
        if len(text) > MAX_TEXT or not re.fullmatch(self.pattern, text):
            raise self.wrong(text, what)
        return text


def completedOptions(
    options: Iterable[Option], given: Mapping[str, object], whose: str
) -> dict[str, Any]:
    """
    The values of all options, by their names.

    @param given: the values that were said: as text, as a configuration file has
        them, or as what the text stands for.
    @param whose: whose options they are, for the message: C{the tcp check}.
    @raise UnknownName: there is no such option.
    @raise ModelError: a value is wrong, or one is missing.
    """
    known = {option.name: option for option in options}
    for name in given:
        if name not in known:
            raise UnknownName(f"option of {whose}", name, known)
    return {name: _value(option, given.get(name), whose) for name, option in known.items()}


def _value(option: Option, value: object, whose: str) -> Any:
    what = f"{option.name} of {whose}"
    if value is None:
        if option.required:
            raise ModelError(f"{what} is missing; it is {option.kind.describe()}")
        return option.default
    if callable(value):
        return value
    # As a file would have it, so that the same is right in both.
    text = value if isinstance(value, str) else option.kind.write(value)
    return option.kind.parse(text, what)
