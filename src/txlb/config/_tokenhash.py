"""
The hashes of tokens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from txlb.errors import ModelError
from txlb.model.kinds import SecretKind, SecretText

_HASH = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class TokenHash(SecretKind):
    """
    The hash of a token. No message quotes it, as it may be the token itself by mistake.
    """

    def describe(self) -> str:
        return "a hash as txlb token prints it"

    def parse(self, text: str, what: str) -> SecretText:
        """
        Read a hash.
        """
        if not _HASH.fullmatch(text):
            raise ModelError(f"{what} is no hash of a token; make one with: txlb token")
        return SecretText(text)

    def show(self, value: Any) -> str:
        return "(a SHA-256 hash)"
