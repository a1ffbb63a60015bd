"""
Attributes of elements in the schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from txlb.model.kinds import Kind, SecretKind
from txlb.model.settings import Since


class Absent(Enum):
    """
    A mark in the place of a default.
    """

    #: The attribute has to be written.
    REQUIRED = "required"


REQUIRED = Absent.REQUIRED


@dataclass(frozen=True, slots=True)
class Attribute:
    """
    One attribute of an element.

    @ivar name: its name in the file.
    @ivar kind: the kind of its values.
    @ivar doc: its purpose, in a sentence or two of reStructuredText.
    @ivar default: its value if it is not written; L{None} for no value at all,
        L{REQUIRED} if it has to be written.
    @ivar defaultDoc: describes a default that is not one fixed value.
    @ivar since: where it comes from.
    @ivar unset: texts that mean that it isn't written. Version 1.1.0 put them
        there when it saved a file in which the attribute was missing.
    @ivar ignored: whether it is read for the sake of old files only, and has no
        effect.
    @ivar field: the field that its value ends up in; C{""} for none.
    """

    name: str
    kind: Kind
    doc: str
    default: Any = None
    defaultDoc: str = ""
    since: Since = Since.NEW
    unset: tuple[str, ...] = ()
    ignored: bool = False
    field: str = ""

    @property
    def secret(self) -> bool:
        """
        Tells whether its values are shown nowhere.
        """
        return isinstance(self.kind, SecretKind)
