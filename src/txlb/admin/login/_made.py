"""
From settings to sources of logins.
"""

from __future__ import annotations

from typing import TypeAlias

from txlb.admin.login._interfaces import ILoginSource
from txlb.admin.login._means import Means
from txlb.config import CheckerSource, LDAPSource, RADIUSSource
from txlb.errors import TxlbError

#: The settings of a source other than the users of the configuration.
SourceSettings: TypeAlias = LDAPSource | RADIUSSource | CheckerSource

_WORDS = {LDAPSource: "ldap", RADIUSSource: "radius", CheckerSource: "checker"}


def labelOf(settings: SourceSettings, number: int) -> str:
    """
    Return the label of a source.

    @param number: which it is of its kind, from 1.
    """
    word = _WORDS[type(settings)]
    return word if number == 1 else f"{word}{number}"


def makeSource(settings: SourceSettings, label: str, means: Means) -> ILoginSource:
    """
    Make a source. The library that it takes is imported here.

    @raise TxlbError: the library is not there, or a file can't be used.
    """
    try:
        if isinstance(settings, LDAPSource):
            from txlb.admin.login.ldap import LDAPChecker  # noqa: PLC0415 - only if configured

            return LDAPChecker(settings, label, means)
        if isinstance(settings, RADIUSSource):
            from txlb.admin.login.radius import RADIUSChecker  # noqa: PLC0415 - likewise

            return RADIUSChecker(settings, label, means)
        from txlb.admin.login._cred import CredChecker  # noqa: PLC0415 - it loads plugins

        return CredChecker(settings, label, means)
    except ModuleNotFoundError as error:
        word = _WORDS[type(settings)]
        raise TxlbError(
            f"<{word}> takes {error.name}, which is not installed; install it with: "
            f"pip install 'txlb[{word}]'"
        ) from error
