"""
Users and groups of the machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from txlb.model.kinds._plain import PlainKind

#: A name of a user or group as shadow(5) takes it and directories of users have it, or
#: a number of at most 9 digits: 32 bits hold each of them.
_ACCOUNT = re.compile(r"(?![0-9]{10,}\Z)[A-Za-z0-9_][A-Za-z0-9_.@$+-]{0,255}\Z")


@dataclass(frozen=True, slots=True)
class Account(PlainKind):
    """
    The name or the number of a user or a group, as a text.

    @ivar of: C{user} or C{group}.
    """

    of: str

    def describe(self) -> str:
        return f"the name of a {self.of} of this machine, or its number"

    def check(self, value: object, what: str) -> str:
        text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
        if not _ACCOUNT.match(text):
            raise self.wrongValue(value, what)
        return text

    def parse(self, text: str, what: str) -> str:
        if not _ACCOUNT.match(text):
            raise self.wrong(text, what)
        return text
