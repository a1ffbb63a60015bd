"""
Values of the model as plain data and as text.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from txlb.model._addresses import ListenAddress
from txlb.model._health import HealthCheck
from txlb.model._listeners import Listener
from txlb.model.kinds import HIDDEN, SecretText, textOf

#: The most characters of a list in the text of a change.
MAX_SHOWN = 200


def plain(value: Any) -> object:
    """
    Return a value of the model in values that any format can hold.
    """
    if isinstance(value, SecretText):
        return HIDDEN
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in value]
    if _hasFields(value):
        shown = (field for field in dataclasses.fields(value) if field.repr)
        return {field.name: plain(getattr(value, field.name)) for field in shown}
    return str(value)


def shownValue(value: Any) -> str:
    """
    Show a value of a setting to people. A long list is cut.
    """
    if value is None or value == "":
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={shownValue(each)}" for name, each in value.items()) or "none"
    if isinstance(value, (list, tuple, set, frozenset)):
        text = ", ".join(map(shownValue, value)) or "none"
        return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}… ({len(value)} in all)"
    if isinstance(value, (HealthCheck, Listener)):
        return str(value)
    if _hasFields(value):
        return " ".join(
            f"{field.name}={shownValue(getattr(value, field.name))}"
            for field in dataclasses.fields(value)
            if field.repr and getattr(value, field.name) != _defaultOf(field)
        )
    return textOf(value)


def _defaultOf(field: dataclasses.Field[Any]) -> object:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _hasFields(value: object) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, ListenAddress)
