"""
The base class of kinds.
"""

from __future__ import annotations

from typing import Any

from txlb.errors import MOST_SHOWN, ModelError, shortened
from txlb.model._checks import shown

#: How much of a wrong value a message quotes, in characters.
MAX_QUOTED = MOST_SHOWN


def quoted(text: str) -> str:
    """
    Quote a value for a message, cut if it is long.
    """
    return repr(shortened(text, MAX_QUOTED))


class PlainKind:
    """
    A kind of texts. A subclass describes and parses them; it overrides the other methods if
    its values are no texts.
    """

    def describe(self) -> str:
        """
        Say in a few words which values are allowed.
        """
        raise NotImplementedError

    def brief(self) -> str:
        """
        Name the kind for a usage line.
        """
        return self.describe()

    def check(self, value: object, what: str) -> Any:
        """
        Check a value that a program gives: by the text that a file has for it.
        """
        return self.parse(value if isinstance(value, str) else self.write(value), what)

    def parse(self, text: str, what: str) -> Any:
        """
        Read the text of a configuration file.
        """
        raise NotImplementedError

    def write(self, value: Any, before: str | None = None) -> str:
        """
        Render a value for a file.
        """
        return str(value)

    def show(self, value: Any) -> str:
        """
        Render a value for a person.
        """
        return self.write(value)

    def wrong(self, text: str, what: str) -> ModelError:
        """
        Make the error for a text that is not of this kind.
        """
        return ModelError(f"{what} is {quoted(text)}; it is {self.describe()}")

    def wrongValue(self, value: object, what: str) -> ModelError:
        """
        Make the error for a value of a program that is not of this kind.
        """
        return ModelError(f"{what} is {shown(value)}; it is {self.brief()}")
