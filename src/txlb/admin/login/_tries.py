"""
Bounds on tries of passwords.

A client that guesses the passwords of an account is slowed down, and no other client: wrong
passwords are counted for the pair of address and account. So the right password from another
address, or for another account, is not refused. One address has a bound for all accounts
together.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from zope.interface import implementer

from txlb._facts import MOST_WHOLE, Facts
from txlb.admin.login._allowance import MAX_KNOWN, Allowance
from txlb.errors import StateError, TxlbError
from txlb.interfaces import IKeptState

#: Wrong passwords of one account from one address before the next try has to wait, and
#: seconds after which another one may be tried: five at once, then five a minute.
PAIR_TRIES = 5
PAIR_SECONDS = 12.0

#: The same of all accounts together from one address.
SOURCE_TRIES = 20
SOURCE_SECONDS = 2.0

#: How many tries too many of another process count at most.
MOST_OVER = 100

#: Bytes of a user's name that are compared.
MAX_NAME = 256


class TooManyTries(TxlbError):
    """
    A password that has to wait, as too many were wrong.
    """


@implementer(IKeptState)
class PasswordTries:
    """
    Counts wrong passwords of all doors together. A client that has to wait has to wait after an
    upgrade as well. Owned by L{txlb.admin.login.Logins}.

    @param seconds: the monotonic clock.
    """

    name = "tries"

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._pairs = Allowance(seconds, PAIR_TRIES, PAIR_SECONDS)
        self._sources = Allowance(seconds, SOURCE_TRIES, SOURCE_SECONDS)

    def state(self) -> object:
        pairs: Iterable[tuple[Any, float]] = self._pairs.used.items()
        return {
            "pairs": [[pair[0], pair[1].hex(), at] for pair, at in pairs],
            "sources": [[source, at] for source, at in self._sources.used.items()],
        }

    def restore(self, state: object) -> None:
        facts = Facts(state, "wrong passwords")
        pairs: dict[Hashable, float] = {}
        sources: dict[Hashable, float] = {}
        for row in facts.items("pairs", MAX_KNOWN):
            source, name, at = _read(row, 3)
            try:
                user = bytes.fromhex(name)
            except ValueError:
                raise StateError("the name of an account is not hexadecimal") from None
            pairs[_pair(source, user)] = min(at, self._pairs.latest(MOST_OVER))
        for row in facts.items("sources", MAX_KNOWN):
            source, _, at = _read(row, 2)
            sources[source] = min(at, self._sources.latest(MOST_OVER))
        self._pairs.restore(pairs)
        self._sources.restore(sources)

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


def _read(row: Any, size: int) -> tuple[str, str, float]:
    """
    Read the source, the name of the account if there is one, and the time of a row.

    @param size: how many values it has.
    @raise StateError: it is something else.
    """
    if isinstance(row, list) and len(row) == size:
        source, name, at = row[0], row[-2], row[-1]
        isTime = type(at) in {int, float} and abs(at) < MOST_WHOLE
        if type(source) is str and type(name) is str and isTime:
            return source, name, float(at)
    raise StateError("a wrong password was tried from nowhere, or at no time")


def _source(pair: Any) -> str:
    source: str = pair[0]
    return source


def _isPair(pair: Any, user: bytes, source: str) -> bool:
    return (not source or pair[0] == source) and (not user or pair[1] == _account(user))


def _pair(source: str, user: bytes) -> tuple[str, bytes]:
    return source, _account(user)


def _account(user: bytes) -> bytes:
    """
    Return the account that a name means: directories know no capital letters, and no spaces
    around a name.
    """
    # Names are as long as clients like, and are kept for a while.
    return user[:MAX_NAME].strip().lower()
