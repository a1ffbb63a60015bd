"""
Tests for L{txlb.admin.login._passwords}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import argon2
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.admin.fakes import atOnce, quickHash
from txlb.admin import hashPassword, isOldHash, newPassword
from txlb.admin.login import _passwords
from txlb.admin.login._passwords import (
    PasswordChecks,
    TooManyChecks,
    isUsableHash,
    verifyPassword,
)
from txlb.errors import ModelError


class HashTests(SynchronousTestCase):
    def test_roundTrip(self) -> None:
        made = hashPassword("péché mortel")
        self.assertTrue(made.startswith("$argon2id$"))
        self.assertTrue(verifyPassword(made, "péché mortel".encode()))
        self.assertFalse(verifyPassword(made, b"peche mortel"))

    def test_defaultsOfArgon2Cffi(self) -> None:
        parameters = argon2.extract_parameters(hashPassword("x"))
        expected = argon2.extract_parameters(argon2.PasswordHasher().hash("x"))
        self.assertEqual(parameters, expected)

    def test_noTwoAreTheSame(self) -> None:
        self.assertNotEqual(quickHash("x"), quickHash("x"))

    def test_lengths(self) -> None:
        for password in ("", "x" * 1025):
            error = self.assertRaises(ModelError, hashPassword, password)
            self.assertIn("1 to 1024 bytes", str(error))

    def test_notAHash(self) -> None:
        self.assertFalse(verifyPassword("$argon2id$v=19$nonsense", b"x"))
        self.assertFalse(verifyPassword("", b"x"))


class KindTests(SynchronousTestCase):
    OLD = (
        "..xpoEyRReGzk",
        "$1$abcdefgh$abcdefghijklmnopqrstuv",
        "$2b$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234",
        "$5$salt$hash",
        "$6$rounds=5000$salt$hash",
        "$y$j9T$salt$hash",
        "$md5,rounds=904$salt$hash",
        "_J9..CCCCXBrJUJV154M",
    )

    def test_oldHashes(self) -> None:
        for text in self.OLD:
            self.assertTrue(isOldHash(text), text)
            self.assertFalse(isUsableHash(text), text)

    def test_argon2idIsUsable(self) -> None:
        self.assertTrue(isUsableHash(quickHash("x")))
        self.assertFalse(isOldHash(quickHash("x")))

    def test_othersAreNeither(self) -> None:
        i = argon2.PasswordHasher(1, 8, 1, type=argon2.Type.I).hash("x")
        for text in ("", "secret", "$argon2id$", "$argon2id$v=19$m=x,t=3,p=4$a$b", i):
            self.assertFalse(isOldHash(text), text)
            self.assertFalse(isUsableHash(text), text)


class NewPasswordTests(SynchronousTestCase):
    def test_shape(self) -> None:
        self.assertRegex(newPassword(), r"^([a-z2-9]{4}-){3}[a-z2-9]{4}$")

    def test_chance(self) -> None:
        self.assertEqual(len({newPassword() for _ in range(50)}), 50)


class ChecksTests(SynchronousTestCase):
    def test_answers(self) -> None:
        checks = PasswordChecks(atOnce)
        stored = quickHash("secret")
        self.assertTrue(self.successResultOf(checks.matches(stored, b"secret")))
        self.assertFalse(self.successResultOf(checks.matches(stored, b"other")))

    def test_tooLong(self) -> None:
        """
        Not even where the part that is looked at is the password.
        """
        checks = PasswordChecks(atOnce)
        stored = quickHash("x" * 1024)
        self.assertTrue(self.successResultOf(checks.matches(stored, b"x" * 1024)))
        self.assertFalse(self.successResultOf(checks.matches(stored, b"x" * 1025)))

    def test_nobodyCostsAsMuchAsSomebody(self) -> None:
        """
        Where there is no hash, one with the cost of the others is checked.
        """
        verified: list[str] = []

        def verify(stored: str, _: bytes) -> bool:
            verified.append(stored)
            return True

        self.patch(_passwords, "verifyPassword", verify)
        model = quickHash("x")
        checks = PasswordChecks(atOnce, model)
        for _ in range(2):
            self.assertFalse(self.successResultOf(checks.matches(None, b"secret")))
        self.assertEqual(len(verified), 2)
        self.assertEqual(verified[0], verified[1])
        self.assertEqual(argon2.extract_parameters(verified[0]), argon2.extract_parameters(model))

    def test_nobodyAmongNobodies(self) -> None:
        """
        Without any user's hash, it costs what the defaults do.
        """
        checks = PasswordChecks(atOnce)
        self.assertFalse(self.successResultOf(checks.matches(None, b"secret")))

    def queued(self, **settings: Any) -> PasswordChecks:
        """
        Checks that are done when a test says so.
        """
        self.jobs: list[tuple[Callable[[], bool], Deferred[bool]]] = []

        def run(check: Callable[[], bool]) -> Deferred[bool]:
            self.jobs.append((check, Deferred()))
            return self.jobs[-1][1]

        return PasswordChecks(run, quickHash("x"), **settings)

    def finish(self) -> None:
        """
        Do the check that is under way.
        """
        check, answer = self.jobs.pop()
        answer.callback(check())

    def test_oneAtATime(self) -> None:
        checks = self.queued()
        waiting = [checks.matches(quickHash("x"), b"x") for _ in range(3)]
        for number in range(3):
            self.assertEqual(len(self.jobs), 1)
            self.assertEqual(checks.waiting, 3 - number)
            self.finish()
        self.assertEqual([self.successResultOf(each) for each in waiting], [True] * 3)
        self.assertEqual((self.jobs, checks.waiting), ([], 0))

    def test_sourcesTakeTurns(self) -> None:
        """
        Who guesses many passwords holds up somebody else by the one that is under way, and one
        more.
        """
        checks = self.queued()
        guesses = [checks.matches(quickHash("x"), b"y", "bad") for _ in range(20)]
        right = checks.matches(quickHash("x"), b"x", "good")
        for _ in range(3):
            self.finish()
        self.assertTrue(self.successResultOf(right))
        self.assertEqual([each.called for each in guesses], [True] * 2 + [False] * 18)

    def test_bound(self) -> None:
        """
        If too many wait, the last one is refused of the source that has most: not the right
        password from elsewhere.
        """
        checks = self.queued(maxWaiting=4)
        stored = quickHash("x")
        guesses = [checks.matches(stored, b"y", "bad") for _ in range(4)]
        right = checks.matches(stored, b"x", "good")
        error = self.failureResultOf(guesses[3], TooManyChecks)
        self.assertIn("4 passwords", error.getErrorMessage())
        self.failureResultOf(checks.matches(stored, b"y", "bad"), TooManyChecks)
        self.assertEqual((checks.waiting, checks.refused), (4, 2))
        for _ in range(4):
            self.finish()
        self.assertTrue(self.successResultOf(right))
        self.assertFalse(self.successResultOf(guesses[0]))
        self.assertEqual(checks.waiting, 0)

    def test_boundOfOne(self) -> None:
        """
        The one that is under way is not taken back.
        """
        checks = self.queued(maxWaiting=1)
        first = checks.matches(quickHash("x"), b"x", "a")
        self.failureResultOf(checks.matches(quickHash("x"), b"x", "b"), TooManyChecks)
        self.finish()
        self.assertTrue(self.successResultOf(first))

    def test_aFailureCountsDownToo(self) -> None:
        answer: Deferred[bool] = Deferred()
        checks = PasswordChecks(lambda _: answer)
        result = checks.matches("", b"")
        answer.errback(MemoryError())
        self.failureResultOf(result, MemoryError)
        self.assertEqual(checks.waiting, 0)

    def test_stopped(self) -> None:
        """
        After the stop nobody gets in, and no time is spent on it.
        """
        checks = PasswordChecks(atOnce)
        checks.stop()
        self.assertFalse(self.successResultOf(checks.matches(quickHash("x"), b"x")))
