"""
Attributes of elements, made from the settings of the values that the elements stand for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from txlb.config._attribute import REQUIRED, Attribute
from txlb.model.settings import settingsOf


def attributesOf(
    valueType: type,
    kinds: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> tuple[Attribute, ...]:
    """
    Make the attributes for the settings of a dataclass, in the order of its fields.

    @param kinds: kinds of a file that are not those of the fields, by the fields' names.
    @param defaults: defaults of a file that are not those of the fields, likewise.
    """
    fields = {field.name: field for field in dataclasses.fields(valueType)}
    kinds, defaults = kinds or {}, defaults or {}
    return tuple(
        Attribute(
            setting.word or name,
            kinds.get(name, setting.kind),
            setting.doc,
            defaults.get(name, _defaultOf(fields[name], setting.defaultDoc)),
            setting.defaultDoc,
            setting.since,
            setting.unset,
            field=name,
        )
        for name, setting in settingsOf(valueType).items()
    )


def _defaultOf(field: dataclasses.Field[Any], defaultDoc: str) -> Any:
    """
    Return the default of a field. One that has to be given need not be written, if there is
    something to say of its default.
    """
    if field.default is not dataclasses.MISSING:
        return field.default
    return None if defaultDoc else REQUIRED
