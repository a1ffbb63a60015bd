"""
Hashes and checks of passwords.

Passwords are kept as argon2id hashes (RFC 9106). A check takes tens of milliseconds of a core
and tens of megabytes, on purpose. So checks are made in a thread of their own, one at a
time.
"""

from __future__ import annotations

import re
import secrets
from collections import deque
from collections.abc import Callable
from typing import Any

import argon2
from twisted.internet.defer import Deferred

from txlb.errors import ModelError, TxlbError

#: The longest password that is looked at, in bytes.
MAX_PASSWORD = 1024

#: Checks that may be under way or waiting.
MAX_WAITING = 64

ARGON2ID = "$argon2id$"

#: The hashes of crypt(3): C{$id$...} of its many kinds, the 13 characters of DES,
#: or the 20 of BSDi.
_CRYPT = re.compile(r"\$(?!argon2)[0-9a-z]+[$,].*|[./0-9A-Za-z]{13}|_[./0-9A-Za-z]{19}")

#: Letters and digits that are not mistaken for each other.
_CLEAR = "abcdefghijkmnpqrstuvwxyz23456789"


def hashPassword(password: str) -> str:
    """
    Make the hash that a configuration file keeps, argon2id with the defaults of
    argon2-cffi. It takes tens of milliseconds.

    @raise ModelError: the password is empty, or longer than 1024 bytes.
    """
    size = len(password.encode("utf-8", "surrogateescape"))
    if not 0 < size <= MAX_PASSWORD:
        raise ModelError(f"a password has 1 to {MAX_PASSWORD} bytes; this one has {size}")
    return argon2.PasswordHasher().hash(password.encode("utf-8", "surrogateescape"))


def newPassword() -> str:
    """
    Make a password out of chance, about 80 bits of it, that can be read aloud:
    four groups of four letters and digits.
    """
    groups = ("".join(secrets.choice(_CLEAR) for _ in range(4)) for _ in range(4))
    return "-".join(groups)


def isOldHash(text: str) -> bool:
    """
    Whether a text is a crypt(3) hash, as configuration files for txLoadBalancer
    1.1.0 have them. Such a hash lets no user log in.
    """
    return _CRYPT.fullmatch(text) is not None


def isUsableHash(text: str) -> bool:
    """
    Whether a text is an argon2id hash.
    """
    if not text.startswith(ARGON2ID):
        return False
    try:
        argon2.extract_parameters(text)
    except (argon2.exceptions.InvalidHashError, ValueError):
        return False
    return True


def hashCost(text: str) -> int:
    """
    Return the cost of a check of a usable hash, to compare it with others: KiB times
    passes over them.
    """
    parameters = argon2.extract_parameters(text)
    return parameters.memory_cost * parameters.time_cost


def verifyPassword(stored: str, password: bytes) -> bool:
    """
    Whether the password belongs to the hash. The answer takes as long as the hash asks for.

    @return: L{False} also for a hash that is none.
    """
    try:
        return argon2.PasswordHasher().verify(stored, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


class TooManyChecks(TxlbError):
    """
    Too many passwords wait to be checked.
    """


class PasswordChecks:
    """
    The checks of passwords, in another thread than the reactor's, one at a time. Sources take
    turns, so that a check waits for at most one check of each other source. If too many
    checks wait, one of the source with the most of them is refused.

    @param run: runs a function in another thread; its Deferred fires with the
        function's result.
    @param model: a hash whose cost a check has if there is no hash to check, so that
        clients can't find out which users exist; L{None} for the cost of a hash that
        L{hashPassword} makes.
    @param maxWaiting: checks that may be under way or waiting, at least 1.
    @ivar waiting: the number of checks that are under way or waiting.
    @ivar refused: the number of checks that were refused.
    """

    def __init__(
        self,
        run: Callable[[Callable[[], bool]], Deferred[bool]],
        model: str | None = None,
        maxWaiting: int = MAX_WAITING,
    ) -> None:
        self._run = run
        self._model = model
        self._maxWaiting = maxWaiting
        self._decoy: str | None = None
        self._stopped = False
        self._busy = False
        # Checks that wait, by their sources. The source whose turn is next is the first.
        self._queue: dict[str, deque[tuple[Callable[[], bool], Deferred[bool]]]] = {}
        self.waiting = 0
        self.refused = 0

    def matches(self, stored: str | None, password: bytes, source: str = "") -> Deferred[bool]:
        """
        Check a password.

        @param stored: the hash; L{None} takes the same time and matches nothing.
        @param source: the source of the try, see L{txlb.admin.login._clientsource.sourceOf}.
        @return: fires with whether it matches; fails with L{TooManyChecks}.
        """
        self.waiting += 1
        answer: Deferred[bool] = Deferred()
        self._queue.setdefault(source, deque()).append(
            (lambda: self._check(stored, password), answer)
        )
        if self.waiting > self._maxWaiting:
            self._refuseOne()
        self._goOn()
        return answer

    def _refuseOne(self) -> None:
        largest = max(self._queue, key=lambda source: len(self._queue[source]))
        _, answer = self._queue[largest].pop()
        if not self._queue[largest]:
            del self._queue[largest]
        self.waiting -= 1
        self.refused += 1
        error = TooManyChecks(f"{self.waiting} passwords are being checked already")
        answer.errback(error)

    def _goOn(self) -> None:
        # A check that is done at once, as in tests, comes back here before it returns.
        while self._queue and not self._busy:
            self._busy = True
            source, waiting = next(iter(self._queue.items()))
            del self._queue[source]
            check, answer = waiting.popleft()
            if waiting:
                self._queue[source] = waiting
            self._run(check).addBoth(self._done, answer)

    def _done(self, result: Any, answer: Deferred[bool]) -> None:
        self._busy = False
        self.waiting -= 1
        answer.callback(result)
        self._goOn()

    def setModel(self, model: str | None) -> None:
        """
        Take the cost of another hash for checks that have no hash.

        @param model: see L{PasswordChecks}.
        """
        if model != self._model:
            self._model = model
            self._decoy = None

    def begin(self) -> None:
        """
        Check again after L{stop}.
        """
        self._stopped = False

    def stop(self) -> None:
        """
        End the checks that wait at once, without a match.
        """
        self._stopped = True

    def _check(self, stored: str | None, password: bytes) -> bool:
        if self._stopped:
            return False
        # A password that is too long is not worth its time to the attacker, but
        # the answer still takes as long as any.
        tooLong = len(password) > MAX_PASSWORD
        matched = verifyPassword(stored or self._makeDecoy(), password[:MAX_PASSWORD])
        return matched and stored is not None and not tooLong

    def _makeDecoy(self) -> str:
        if self._decoy is None:
            hasher = argon2.PasswordHasher()
            if self._model is not None:
                parameters = argon2.extract_parameters(self._model)
                hasher = argon2.PasswordHasher.from_parameters(parameters)
            self._decoy = hasher.hash(secrets.token_bytes(16))
        return self._decoy
