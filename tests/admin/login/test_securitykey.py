"""
Tests for L{txlb.admin.login._securitykey}.
"""

from __future__ import annotations

import hashlib
import struct

from twisted.conch.ssh.common import NS
from twisted.trial.unittest import SynchronousTestCase

from txlb.admin.login._securitykey import SecurityKeyError, signedBySecurityKey

KIND = NS(b"sk-ssh-ed25519@openssh.com")


class SignedTests(SynchronousTestCase):
    def test_signed(self) -> None:
        """
        OpenSSH's PROTOCOL.u2f: the hash of what the key is for, the flags, the counter, and the
        hash of the message.
        """
        trailer = struct.pack(">BI", 0x05, 77)
        signed = signedBySecurityKey(b"ssh:", b"message", KIND + NS(b"s" * 64) + trailer)
        self.assertEqual(
            signed,
            hashlib.sha256(b"ssh:").digest() + trailer + hashlib.sha256(b"message").digest(),
        )

    def test_nobodyPresent(self) -> None:
        """
        Sshd refuses a signature without that flag: "error: public key ... signature for ...
        failed: user presence ... not set".
        """
        for flags in (0x00, 0x04, 0xFE):
            trailer = struct.pack(">BI", flags, 77)
            error = self.assertRaises(
                SecurityKeyError, signedBySecurityKey, b"ssh:", b"m", KIND + NS(b"s") + trailer
            )
            self.assertIn("was not touched", str(error))

    def test_malformed(self) -> None:
        for signature in (b"", b"\0", KIND, KIND + NS(b"s"), KIND + NS(b"s") + b"\1" * 4):
            self.assertRaises(SecurityKeyError, signedBySecurityKey, b"ssh:", b"m", signature)
        self.assertRaises(
            SecurityKeyError, signedBySecurityKey, b"ssh:", b"m", KIND + NS(b"s") + b"\1" * 6
        )
