"""
Tokens of programs.

A token has 256 bits of chance, so a plain hash keeps it as safe as a slow one would, and finding
it takes no time of the balancer.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable

from txlb.admin._access import Caller
from txlb.config import AdminToken

#: The beginning of each token, by which scanners for leaked secrets find it.
PREFIX = "txlb_"

#: The longest text that is looked at, in characters.
MAX_TOKEN = 256


def newToken() -> str:
    """
    Make a token.
    """
    return PREFIX + secrets.token_urlsafe(32)


def hashToken(token: str) -> str:
    """
    Return the hash of a token that a configuration file keeps.
    """
    return f"sha256:{hashlib.sha256(token.encode('utf-8', 'surrogateescape')).hexdigest()}"


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
