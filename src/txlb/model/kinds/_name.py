"""
Names of things.
"""

from __future__ import annotations

from dataclasses import dataclass

from txlb.model._checks import MAX_NAME_LENGTH, checkName
from txlb.model.kinds._plain import PlainKind


@dataclass(frozen=True, slots=True)
class Name(PlainKind):
    """
    A name of something, as L{checkName} wants it.

    @ivar of: the kind of thing that it names.
    """

    of: str

    def describe(self) -> str:
        return f"a name of 1 to {MAX_NAME_LENGTH} printable characters, without a slash"

    def check(self, value: object, what: str) -> str:
        return checkName(self.of, value)

    def parse(self, text: str, what: str) -> str:
        return checkName(self.of, text)
