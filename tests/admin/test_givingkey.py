"""
Tests for L{txlb.admin._givingkey}.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.keys import Key
from twisted.trial.unittest import SynchronousTestCase

from txlb.admin._givingkey import GivingKey


class GivingKeyTests(SynchronousTestCase):
    def test_uses(self) -> None:
        """
        It is the key that it was given, and gives way before each use.
        """
        given: list[str] = []
        key = Key(Ed25519PrivateKey.generate())
        parted = GivingKey(key, lambda: given.append("relayed"))
        self.assertEqual(parted.blob(), key.blob())
        self.assertEqual(len(given), 1)
        for algorithm in (None, b"ssh-ed25519"):
            signature = parted.sign(b"an exchange", algorithm)
            self.assertTrue(key.public().verify(signature, b"an exchange"))
        self.assertEqual(len(given), 3)
