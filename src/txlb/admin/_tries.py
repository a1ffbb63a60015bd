"""
Bounds on tries of passwords.

A client that guesses the passwords of an account is slowed down, and no other client: wrong
passwords are counted for the pair of address and account. So the right password from another
address, or for another account, is not refused. One address has a bound for all accounts
together.
"""

from __future__ import annotations

from collections.abc import Callable

from txlb.admin._allowance import Allowance
from txlb.errors import TxlbError

#: Wrong passwords of one account from one address before the next try has to wait, and
#: seconds after which another one may be tried: those of one connection, then six a minute.
PAIR_TRIES = 6
PAIR_SECONDS = 10.0

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
    Counts wrong passwords. Owned by a L{txlb.admin._users.PasswordChecker}.

    @param seconds: the monotonic clock.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._pairs = Allowance(seconds, PAIR_TRIES, PAIR_SECONDS)
        self._sources = Allowance(seconds, SOURCE_TRIES, SOURCE_SECONDS)

    def begin(self, source: str, user: bytes) -> None:
        """
        Count a password that is about to be checked.

        @param source: the source of the try, see L{txlb.admin._source.sourceOf}.
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


def _pair(source: str, user: bytes) -> tuple[str, bytes]:
    # Names are as long as clients like, and are kept for a while.
    return source, user[:MAX_NAME]
