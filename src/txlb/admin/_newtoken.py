"""
Tokens of programs, and their hashes.

A token has 256 bits of chance, so a plain hash keeps it as safe as a slow one would, and to
look it up takes no time of the balancer.
"""

from __future__ import annotations

import hashlib
import secrets

#: The beginning of each token, by which scanners for leaked secrets find it.
PREFIX = "txlb_"

#: Bytes of chance in a token.
BYTES = 32


def newToken() -> str:
    """
    Make a token.
    """
    return PREFIX + secrets.token_urlsafe(BYTES)


def hashToken(token: str) -> str:
    """
    Return the hash of a token that a configuration file keeps.
    """
    return f"sha256:{hashlib.sha256(token.encode('utf-8', 'surrogateescape')).hexdigest()}"
