"""
Settings: the fields of values that say by themselves what they are.

A setting is said once, in the metadata of the field: the kind of its values with their
range and unit, what it is for, and its word in a configuration file if that differs from
the name of the field. The default is the field's. The checks of the value, the schema of the
file, the reader, the writer and the reference are made from it.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar

from txlb.model._since import Since
from txlb.model.kinds import Kind

__all__ = [
    "Setting",
    "Since",
    "checkSettings",
    "setting",
    "settingField",
    "settingsOf",
    "withSetting",
]

_KEY = "txlb.setting"

Default = TypeVar("Default")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Setting:
    """
    One setting.

    @ivar kind: the kind of its values.
    @ivar doc: its purpose, in a sentence or two of reStructuredText.
    @ivar word: its attribute in a configuration file; C{""} for one of the field's name.
    @ivar defaultDoc: describes a default that is not one fixed value.
    @ivar since: where it comes from.
    @ivar unset: texts that mean that it is not written. Version 1.1.0 put them there if
        it saved a file without the attribute.
    @ivar part: the part of the thing that it belongs to, such as C{scheduler}; C{""} for
        none.
    """

    kind: Kind
    doc: str
    word: str = ""
    defaultDoc: str = ""
    since: Since = Since.NEW
    unset: tuple[str, ...] = ()
    part: str = ""


def setting(kind: Kind, doc: str, **more: Any) -> Mapping[str, Setting]:
    """
    Make the metadata of a field that is a setting, for fields that L{settingField} can't declare.

    @param more: the others of L{Setting}, by name.
    """
    return MappingProxyType({_KEY: Setting(kind, doc, **more)})


def settingField(default: Default, kind: Kind, doc: str, **more: Any) -> Default:
    """
    Declare a field that is a setting and has a default.

    @param more: the others of L{Setting}, by name.
    """
    declared: Default = dataclasses.field(default=default, metadata=setting(kind, doc, **more))
    return declared


def settingsOf(valueType: type, part: str | None = None) -> Mapping[str, Setting]:
    """
    Return the settings of a dataclass by the names of their fields, in the order of the
    fields.

    @param part: only those of this part.
    """
    found = {
        field.name: field.metadata[_KEY]
        for field in dataclasses.fields(valueType)
        if _KEY in field.metadata
    }
    return MappingProxyType(
        {name: each for name, each in found.items() if part is None or each.part == part}
    )


def withSetting(value: Value, name: str, given: object, whose: str) -> Value:
    """
    Copy a frozen value, with one setting changed. That setting alone is checked, so it is one
    that no rule ties to others: L{dataclasses.replace} checks them all.

    @param value: a dataclass, which was checked when it was made.
    @param name: the name of the field.
    @param given: what it is set to.
    @param whose: the name of the value, for messages.
    @raise ModelError: it is not of the setting's kind.
    """
    valueType: type = type(value)
    kind = next(kind for each, kind, _ in _checked(valueType) if each == name)
    changed = copy.copy(value)
    object.__setattr__(changed, name, kind.check(given, f"{name} of {whose}"))
    return changed


@cache
def _checked(valueType: type) -> tuple[tuple[str, Kind, object], ...]:
    """
    Return the fields that are given as settings, with their kinds and defaults.
    """
    settings = settingsOf(valueType)
    return tuple(
        (field.name, settings[field.name].kind, field.default)
        for field in dataclasses.fields(valueType)
        if field.init and field.name in settings
    )


def checkSettings(value: Any, whose: str) -> None:
    """
    Check the settings of a frozen value that is being made, and keep each as its kind
    has it.

    @param value: a dataclass.
    @param whose: its name, for messages.
    @raise ModelError: a setting is not of its kind.
    """
    valueType: type = type(value)
    for name, kind, default in _checked(valueType):
        given = getattr(value, name)
        # A group has thousands of hosts that say the default.
        if given is not default:
            kept = kind.check(given, f"{name} of {whose}")
            if kept is not given:
                object.__setattr__(value, name, kept)
