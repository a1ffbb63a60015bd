"""
A kind whose values another module reads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from txlb.errors import ModelError
from txlb.model.kinds._plain import PlainKind

#: Longer than any address, in characters. A longer text is not worth a look, nor a message
#: that quotes it in full.
MAX_LENGTH = 512


@dataclass(frozen=True, slots=True)
class Parsed(PlainKind):
    """
    Values that a function reads, such as addresses and networks.

    @ivar read: makes a value of a text, or checks a value; raises L{ModelError}.
    @ivar description: describes a right value, to follow on "it is".
    @ivar readText: reads a text of a configuration file, if another function does.
    """

    read: Callable[[object], Any]
    description: str
    readText: Callable[[object], Any] | None = None

    def describe(self) -> str:
        return self.description

    def check(self, value: object, what: str) -> Any:
        return self.read(value)

    def parse(self, text: str, what: str) -> Any:
        if len(text) > MAX_LENGTH:
            raise self.wrong(text, what)
        try:
            return (self.readText or self.read)(text)
        except ModelError as error:
            raise ModelError(f"{what}: {error}") from None
