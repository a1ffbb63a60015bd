"""
Permissions of files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from txlb.errors import ModelError
from txlb.model._checks import shown
from txlb.model.kinds._plain import PlainKind

#: The highest permissions, of those that have a meaning for a socket.
MOST_PERMISSIONS = 0o777

_MODE = re.compile(r"0?[0-7]{3}\Z")


@dataclass(frozen=True, slots=True)
class Mode(PlainKind):
    """
    The permissions of a socket's file, as a number.
    """

    def describe(self) -> str:
        return "permissions as chmod takes them, 0000 to 0777 in octal digits"

    def check(self, value: object, what: str) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            if 0 <= value <= MOST_PERMISSIONS:
                return value
        raise ModelError(f"{what} is {shown(value)}; it is a number from 0 to 0o777, such as 0o660")

    def parse(self, text: str, what: str) -> int:
        if not _MODE.match(text):
            raise self.wrong(text, what)
        return int(text, 8)

    def write(self, value: Any, before: str | None = None) -> str:
        return f"{value:04o}"
