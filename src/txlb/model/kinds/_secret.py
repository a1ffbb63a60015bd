"""
Values that are used and written to files, but shown nowhere.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from txlb.errors import ModelError
from txlb.model.kinds._kind import Kind
from txlb.model.kinds._plain import PlainKind

#: The text that is shown in place of a secret.
HIDDEN = "(not shown)"

#: The hash of a password, in any place: C{$}, the word for the kind of hash, and C{$} or
#: C{,}.
HASH = re.compile(r"\$[0-9A-Za-z-]{1,20}[$,][^\s\"'<>]*")


class SecretText(str):
    """
    A text that is used and written to files, but shown nowhere. As every C{str} it can be
    formatted; code that shows values calls L{textOf}.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return HIDDEN


def textOf(value: object) -> str:
    """
    Render a value as text for people.
    """
    return HIDDEN if isinstance(value, SecretText) else str(value)


class SecretKind(PlainKind):
    """
    A kind whose values are secrets. No message, view, log or difference between files shows
    them.
    """

    def show(self, value: Any) -> str:
        return HIDDEN

    def wrong(self, text: str, what: str) -> ModelError:
        return ModelError(f"{what} is wrong; it is {self.describe()}")

    def wrongValue(self, value: object, what: str) -> ModelError:
        return self.wrong("", what)


@dataclass(frozen=True, slots=True)
class Secret(SecretKind):
    """
    Values of another kind that are secrets, such as a token.

    @ivar of: the other kind. Its values are texts.
    """

    of: Kind

    def describe(self) -> str:
        return self.of.describe()

    def brief(self) -> str:
        return self.of.brief()

    def parse(self, text: str, what: str) -> SecretText:
        try:
            return SecretText(self.of.parse(text, what))
        except ModelError:
            # Its message may quote the text.
            raise self.wrong(text, what) from None
