"""
Distinguished names: RFC 4514.
"""

from __future__ import annotations

import re

_SPECIAL = re.compile(r'([,+"\\<>;=#])')

#: Login names that can stand in a pattern that is no distinguished name, such as
#: C{user@example.org}.
_SIMPLE = re.compile(r"[\w.-]+\Z")


def escaped(value: str) -> str:
    """
    Write a value for a distinguished name, in which no character has a meaning then.
    """
    text = _SPECIAL.sub(r"\\\1", value)
    if text.startswith(" "):
        text = f"\\{text}"
    if text.endswith(" ") and len(value) > 1:
        text = f"{text[:-1]}\\ "
    return text


def filledIn(pattern: str, user: str) -> str | None:
    """
    Put a login name into a pattern.

    @return: L{None} if the pattern is no distinguished name, and the login name has
        characters that might have a meaning in it.
    """
    if "=" not in pattern and not _SIMPLE.match(user):
        return None
    return pattern.replace("{user}", escaped(user))


def normal(name: str) -> str:
    """
    Write a name so that equal ones are equal texts, as far as capital letters and spaces
    between the parts go.
    """
    return ",".join(part.strip() for part in name.casefold().split(","))


def firstValue(name: str) -> str:
    """
    Return the first value of a distinguished name, in small letters; C{""} for another text.
    """
    first = re.split(r"(?<!\\),", name.casefold(), maxsplit=1)[0]
    return first.partition("=")[2].strip()
