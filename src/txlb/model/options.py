"""
Settings that a kind of check, of resource probe, or of source of hosts has of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from txlb.errors import ModelError, UnknownName
from txlb.model.kinds import MAX_TEXT, Kind, Text

__all__ = ["MAX_TEXT", "Option", "Text", "completedOptions"]


@dataclass(frozen=True, slots=True)
class Option:
    """
    One such setting. In a configuration file it is an attribute of C{<check>},
    C{<resource>} or C{<discover>}.

    @ivar name: its name.
    @ivar kind: the kind of its values.
    @ivar doc: its purpose, in a sentence or two of reStructuredText.
    @ivar default: its value if none is given; L{None} for no value at all.
    @ivar defaultDoc: describes a default that is not one fixed value.
    @ivar required: whether it has to be given.
    """

    name: str
    kind: Kind
    doc: str
    default: Any = None
    defaultDoc: str = ""
    required: bool = False


def completedOptions(
    options: Iterable[Option], given: Mapping[str, object], whose: str
) -> dict[str, Any]:
    """
    Complete the values of options by their defaults.

    @param given: the values by name: texts as a configuration file has them, or the
        values that the texts stand for.
    @param whose: the owner of the options, for the message: C{the tcp check}.
    @return: a value for each option, by name.
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
    # A text is right if a file can have it.
    if isinstance(value, str):
        return option.kind.parse(value, what)
    return option.kind.check(value, what)
