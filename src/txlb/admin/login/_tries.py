"""
Bounds on tries of passwords.

A client that guesses the passwords of an account is slowed down, and no other client: wrong
passwords are counted for the pair of address and account. So the right password from another
address, or for another account, is not refused. One address has a bound for all accounts
together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from txlb.admin.login._allowance import Allowance
from txlb.errors import TxlbError

#: Wrong passwords of one account from one address before the next try has to wait, and
#: seconds after which another one may be tried: five at once, then five a minute.
PAIR_TRIES = 5
PAIR_SECONDS = 12.0

#: The same of all accounts together from one address.
SOURCE_TRIES = 20
SOURCE_SECONDS = 2.0

#: Bytes of a user's name that are compared.
MAX_NAME = 256


class TooManyTries(TxlbError):
    """
    A password that has to wait, as too many were wrong.
    """


class PasswordTries:
    """
    Counts wrong passwords. Owned by a L{txlb.admin.login._users.PasswordChecker}.

    @param seconds: the monotonic clock.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._pairs = Allowance(seconds, PAIR_TRIES, PAIR_SECONDS)
        self._sources = Allowance(seconds, SOURCE_TRIES, SOURCE_SECONDS)

    def begin(self, source: str, user: bytes) -> None:
        """
        Count a password that is about to be checked.

        @param source: the source of the try, see L{txlb.admin.login._clientsource.sourceOf}.
        @raise TooManyTries: it has to wait.
        """
        pair = _pair(source, user)
        wait = max(self._pairs.wait(pair), self._sources.wait(source))
        if wait > 0:
            raise TooManyTries(
                f"too many passwords were wrong that came from {source}; the next one is looked "
                f"at in {wait:.0f} s"
            )
        self._pairs.take(pair)
        self._sources.take(source)

    def wasRight(self, source: str, user: bytes) -> None:
        """
        Take back a count, as the password was right.
        """
        self._pairs.reset(_pair(source, user))
        self._sources.giveBack(source)

    def undecided(self, source: str, user: bytes) -> None:
        """
        Take back a count, as no source has looked at the password.
        """
        self._pairs.giveBack(_pair(source, user))
        self._sources.giveBack(source)

    def unlock(self, user: bytes = b"", source: str = "") -> int:
        """
        Forget wrong passwords, so that the next one is looked at at once.

        @param user: those of this account alone, and of the addresses from which they came.
        @param source: those from this address alone, see L{txlb.admin.login.sourceOf}.
        @return: how many pairs of address and account there were.
        """
        pairs = self._pairs.forget(lambda key: _isPair(key, user, source))
        sources = {_source(pair) for pair in pairs} | ({source} if source else set())
        everything = not user and not source
        self._sources.forget(lambda key: everything or key in sources)
        return len(pairs)


def _source(pair: Any) -> str:
    source: str = pair[0]
    return source


def _isPair(pair: Any, user: bytes, source: str) -> bool:
    return (not source or pair[0] == source) and (not user or pair[1] == user[:MAX_NAME])


def _pair(source: str, user: bytes) -> tuple[str, bytes]:
    # Names are as long as clients like, and are kept for a while.
    return source, user[:MAX_NAME]
