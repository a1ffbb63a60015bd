"""
Lists of values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from txlb.errors import ModelError
from txlb.model._checks import shown
from txlb.model.kinds._kind import Kind
from txlb.model.kinds._plain import PlainKind, quoted

#: The longest text of a list in a file, in characters.
MAX_LIST = 65536


@dataclass(frozen=True, slots=True)
class Several(PlainKind):
    """
    A list of values of one kind, each of which stands in it once: in a file with spaces
    between them, in a program any iterable or such a text. It is kept as a tuple.

    @ivar kind: the kind of each. No space stands in its texts.
    @ivar description: describes a right list, to follow on "it is"; C{""} for one that is
        made of the description of the kind.
    @ivar empty: the meaning of an empty list, to be shown.
    """

    kind: Kind
    description: str = ""
    empty: str = "none"

    def describe(self) -> str:
        return self.description or f"a list with spaces between, of {self.kind.describe()}"

    def check(self, value: object, what: str) -> tuple[Any, ...]:
        if isinstance(value, str):
            return self.parse(value, what)
        if isinstance(value, bytes) or not isinstance(value, Iterable):
            raise ModelError(f"{what} is {shown(value)}; it is {self.describe()}")
        return self._once([self.kind.check(each, what) for each in value], what)

    def parse(self, text: str, what: str) -> tuple[Any, ...]:
        if len(text) > MAX_LIST:
            raise self.wrong(text, what)
        return self._once([self.kind.parse(each, what) for each in text.split()], what)

    def _once(self, values: list[Any], what: str) -> tuple[Any, ...]:
        seen = set()
        for each in values:
            if each in seen:
                raise ModelError(
                    f"{what} has {quoted(self.kind.write(each))} twice; each stands in it once"
                )
            seen.add(each)
        return tuple(values)

    def write(self, value: Any, before: str | None = None) -> str:
        return " ".join(self.kind.write(each) for each in value)

    def show(self, value: Any) -> str:
        return self.write(value) or self.empty
