"""
The names of servers for which clients of TLS ask.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from txlb.errors import ModelError
from txlb.model.kinds import PlainKind, quoted

_NAME = re.compile(
    r"(?:\*\.)?(?:(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\.)*(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\.?"
)

#: The longest name, in characters (RFC 1035, section 2.3.4).
_LONGEST = 253


@dataclass(frozen=True, slots=True)
class ServerName(PlainKind):
    """
    The name of a server, or C{*.} before a name for all names under it. It is kept in lower
    case and without a dot at its end.
    """

    def describe(self) -> str:
        return "a name such as a.example, or *.b.example for all names under b.example"

    def parse(self, text: str, what: str) -> str:
        if not text.isascii():
            raise ModelError(
                f"{what} is {quoted(text)}; clients ask for a name in ASCII: write it as in DNS, "
                "with xn--"
            )
        if len(text) > _LONGEST or _NAME.fullmatch(text) is None:
            raise self.wrong(text, what)
        return text.lower().removesuffix(".")
