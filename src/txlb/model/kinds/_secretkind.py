"""
The base class of kinds of secrets.
"""

from __future__ import annotations

from typing import Any

from txlb.errors import ModelError
from txlb.model.kinds._plain import PlainKind
from txlb.model.kinds._secrettext import HIDDEN


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
