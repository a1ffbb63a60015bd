"""
Tests for L{txlb.config._passwordhash}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.documents import ARGON2ID, CRYPT
from txlb.config._passwordhash import PasswordHash, isCurrentHash
from txlb.errors import ModelError


class PasswordHashTests(SynchronousTestCase):
    def test_hashes(self) -> None:
        """
        New ones, and those of crypt(3) in their many kinds.
        """
        kind = PasswordHash()
        for text in (
            ARGON2ID,
            CRYPT,
            "$6$salt$hash",
            "$2b$12$x",
            "$md5,rounds=1$x",
            "_" + "a" * 19,
        ):
            self.assertEqual(kind.parse(text, "it"), text)

    def test_noHashes(self) -> None:
        """
        They are refused, and not quoted.
        """
        for text in ("", "secret", "a" * 12, "a" * 14, ARGON2ID[:-30], "$argon2i$v=19$x", "$6"):
            error = self.assertRaises(
                ModelError, PasswordHash().parse, text, "password of user 'u'"
            )
            self.assertEqual(
                str(error),
                "password of user 'u' is no hash of a password; make one with: txlb passwd",
            )

    def test_current(self) -> None:
        self.assertTrue(isCurrentHash(ARGON2ID))
        self.assertFalse(isCurrentHash(CRYPT))
        self.assertFalse(isCurrentHash(ARGON2ID + "\n"))

    def test_show(self) -> None:
        """
        Not even a hash is for everybody to see.
        """
        self.assertEqual(PasswordHash().show(ARGON2ID), "(an argon2id hash)")
        self.assertEqual(PasswordHash().show(CRYPT), "(an old crypt hash)")
        self.assertIn("txlb passwd", PasswordHash().describe())
