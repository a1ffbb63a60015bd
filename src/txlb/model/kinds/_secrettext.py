"""
Texts that are used and written to files, but shown nowhere.
"""

from __future__ import annotations

import re

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
