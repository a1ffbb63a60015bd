"""
The hashes of passwords.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from txlb.errors import ModelError
from txlb.model.kinds import SecretKind, SecretText

_ARGON2ID = re.compile(r"\$argon2id\$v=\d+\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+\Z")

#: The hashes of crypt(3): C{$id$...} of its many kinds, the 13 characters of DES,
#: or the 20 of BSDi.
_CRYPT = re.compile(
    r"(\$(?!argon2)[0-9a-z]+[$,].*|[./0-9A-Za-z]{13}|_[./0-9A-Za-z]{19})\Z", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class PasswordHash(SecretKind):
    """
    The hash of a password. No message quotes it.
    """

    def describe(self) -> str:
        return "a hash as txlb passwd prints it"

    def parse(self, text: str, what: str) -> SecretText:
        """
        Read a hash. Old ones pass, so that old files can be read.
        """
        if not isCurrentHash(text) and not _CRYPT.match(text):
            raise ModelError(f"{what} is no hash of a password; make one with: txlb passwd")
        return SecretText(text)

    def show(self, value: Any) -> str:
        return "(an argon2id hash)" if isCurrentHash(value) else "(an old crypt hash)"


def isCurrentHash(password: str) -> bool:
    """
    Tell whether a login with a password of this hash can succeed.
    """
    return _ARGON2ID.match(password) is not None
