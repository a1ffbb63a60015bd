"""
Tests for L{txlb.admin.login._secretfile} and L{txlb.admin.login._username}.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txlb.admin.login import LoginRefused
from txlb.admin.login._secretfile import SecretFileError, readSecret
from txlb.admin.login._username import checkPassword, userName


class SecretFileTests(SynchronousTestCase):
    def put(self, data: bytes, mode: int = 0o600) -> str:
        path = Path(self.mktemp())
        path.write_bytes(data)
        path.chmod(mode)
        return str(path)

    def test_read(self) -> None:
        self.assertEqual(readSecret(self.put(b"a secret \r\nand more")), b"a secret ")

    def test_refused(self) -> None:
        for data, mode, words in (
            (b"tellnobody\n", 0o640, "can be read by others (mode 0640); change that with: chmod"),
            (b"tellnobody\n", 0o622, "can be written to by others"),
            (b"\ntellnobody", 0o600, "empty first line"),
            (b"x" * 5000, 0o600, "longer than 4096 bytes"),
        ):
            error = self.assertRaises(SecretFileError, readSecret, self.put(data, mode))
            self.assertIn(words, str(error))
            self.assertNotIn("tellnobody", str(error))
        self.assertRaises(SecretFileError, readSecret, self.mktemp())


class NameTests(SynchronousTestCase):
    def test_names(self) -> None:
        for name in ("anna", "zoë", "o'brien", "DOM\\anna", "anna@example.org", "*", "a b"):
            self.assertEqual(userName(name.encode()), name)
        for wrong in (b"", b"a" * 129, b"\xff", b"a\0", b"a\n", "\u202ea".encode(), b" a", b"a "):
            self.assertRaises(LoginRefused, userName, wrong)

    def test_passwords(self) -> None:
        checkPassword(b"x")
        for wrong in (b"", b"\0", b"\0\0", b"x" * 1025):
            self.assertRaises(LoginRefused, checkPassword, wrong)
