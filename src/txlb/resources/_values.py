"""
The kinds of values that options of probes have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from txlb.model.kinds import PlainKind

#: The longest text of an option, in characters.
MAX_TEXT = 1024


@dataclass(frozen=True, slots=True)
class Text(PlainKind):
    """
    Text that the kind of probe has a use for.

    @ivar pattern: a regular expression for all of it.
    @ivar description: what a right one is.
    """

    pattern: str
    description: str

    def describe(self) -> str:
        """
        See L{txlb.model.kinds.Kind}.
        """
        return self.description

    def parse(self, text: str, what: str) -> str:
        """
        See L{txlb.model.kinds.Kind}.
        """
        if len(text) > MAX_TEXT or not re.fullmatch(self.pattern, text):
            raise self.wrong(text, what)
        return text
