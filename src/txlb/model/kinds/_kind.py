"""
The interface of a kind of values.
"""

from __future__ import annotations

from typing import Any, Protocol


class Kind(Protocol):
    """
    One kind of values.
    """

    def describe(self) -> str:
        """
        Describe a right value, to follow on "it is".
        """

    def brief(self) -> str:
        """
        Describe a right value in fewer words, for pages that say the rest elsewhere.
        """

    def check(self, value: object, what: str) -> Any:
        """
        Check a value that a program gives.

        @param what: the name of the setting and of its owner, for the message.
        @return: the value as it is kept.
        @raise ModelError: C{value} is not of this kind.
        """

    def parse(self, text: str, what: str) -> Any:
        """
        Read the text of a configuration file.

        @param what: the name of the setting and of its owner, for the message.
        @raise ModelError: C{text} is no value of this kind.
        """

    def write(self, value: Any, before: str | None = None) -> str:
        """
        Write a value, so that L{parse} gives it back.

        @param before: the text that is written there now. Its style is kept.
        """

    def show(self, value: Any) -> str:
        """
        Show a value to a person.
        """
