"""
Attributes that many elements have alike.
"""

from __future__ import annotations

from typing import Any

from txlb.config import _kinds as kinds
from txlb.config import _things as things
from txlb.config._elements import REQUIRED, Attribute, Since, defaultOf

DAY = 86400.0
WEEK = 7 * DAY


def of(
    valueType: type, name: str, kind: kinds.Kind, doc: str, since: Since = Since.NEW, **more: Any
) -> Attribute:
    """
    An attribute that ends up in the field of the same name.
    """
    more.setdefault("default", defaultOf(valueType, more.pop("field", name)))
    return Attribute(name, kind, doc, since=since, **more)


NAME_DOC = "Its name, the only one of its kind in the {where}."


def named(of: str, where: str) -> Attribute:
    doc = NAME_DOC.format(where=where)
    return Attribute("name", things.Name(of), doc, REQUIRED, since=Since.OLD)
