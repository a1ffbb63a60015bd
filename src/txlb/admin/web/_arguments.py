"""
The arguments of commands as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from txlb.admin._arguments import MAX_TEXT, Argument
from txlb.admin.web._operation import Schema
from txlb.errors import ModelError

#: Settings in one request.
MAX_SETTINGS = 100

_TYPES: dict[type, Schema] = {
    str: {"type": "string", "maxLength": MAX_TEXT},
    int: {"type": "integer"},
    float: {"type": ["number", "string"], "minimum": 0},
    bool: {"type": "boolean"},
    dict: {
        "type": "object",
        "maxProperties": MAX_SETTINGS,
        "additionalProperties": {
            "type": ["string", "number", "boolean", "null", "array"],
            "maxLength": MAX_TEXT,
        },
    },
}


def schemaOf(argument: Argument) -> dict[str, object]:
    """
    Return the JSON schema of the values of an argument.
    """
    schema = {**_TYPES[argument.kind.type], "description": argument.doc}
    if argument.default is None:
        types = schema["type"]
        schema["type"] = [*(types if isinstance(types, list) else [types]), "null"]
    if not argument.required and argument.default is not None:
        schema["default"] = argument.default
    return schema


def fromJSON(argument: Argument, value: Any) -> object:
    """
    Make a value for a command of one of a JSON body.

    @raise ModelError: it is of another kind.
    """
    kind = argument.kind
    if value is None and argument.default is None:
        return None
    if isinstance(value, str) and kind.type in {str, float}:
        return argument.read(value)
    if kind.type is str or not kind.fits(value):
        raise ModelError(f"{argument.name} is {value!r:.80}; it is {kind.wanted}")
    if kind.type is dict:
        return _checkedSettings(argument, value)
    return value


def _checkedSettings(argument: Argument, settings: Mapping[str, object]) -> Mapping[str, object]:
    if len(settings) > MAX_SETTINGS:
        raise ModelError(f"{argument.name} has at most {MAX_SETTINGS} members")
    for name, value in settings.items():
        if isinstance(value, dict) or (isinstance(value, str) and len(value) > MAX_TEXT):
            raise ModelError(
                f"{name[:80]} of {argument.name} is a text of at most {MAX_TEXT} characters, a "
                "number, true, false, null or a list"
            )
    return settings
