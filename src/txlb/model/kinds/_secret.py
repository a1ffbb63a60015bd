"""
Values of other kinds that are secrets.
"""

from __future__ import annotations

from dataclasses import dataclass

from txlb.errors import ModelError
from txlb.model.kinds._kind import Kind
from txlb.model.kinds._secretkind import SecretKind
from txlb.model.kinds._secrettext import SecretText


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
