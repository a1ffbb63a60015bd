"""
The tokens of programs that may use the REST interface.
"""

from __future__ import annotations

from collections.abc import Iterable

from txlb.admin._access import Caller
from txlb.admin._newtoken import hashToken
from txlb.config import AdminToken

#: The longest text that is looked at, in characters.
MAX_TOKEN = 256


class Tokens:
    """
    The tokens by their hashes.
    """

    def __init__(self, tokens: Iterable[AdminToken] = ()) -> None:
        self.replace(tokens)

    def replace(self, tokens: Iterable[AdminToken]) -> None:
        """
        Replace all of them.
        """
        self._callers = {
            str(each.hash): Caller(f"token:{each.name}", each.access) for each in tokens
        }

    def callerOf(self, token: str) -> Caller | None:
        """
        Return the program that has a token, as a caller of commands; L{None} if none has it.
        """
        if len(token) > MAX_TOKEN:
            return None
        return self._callers.get(hashToken(token))
