"""
Tests for L{txlb.admin._hostkey}.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from twisted.trial.unittest import SynchronousTestCase

from txlb.admin import _hostkey
from txlb.admin._hostkey import FILE_NAME, fingerprint, hostKey
from txlb.errors import StateDirectoryError
from txlb.process import Folder


class HostKeyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.path = self.directory / FILE_NAME

    def refused(self) -> str:
        error = self.assertRaises(StateDirectoryError, hostKey, str(self.directory))
        self.assertIn(str(self.path), str(error))
        return str(error)

    def put(self, data: bytes, mode: int = 0o600) -> None:
        self.path.write_bytes(data)
        self.path.chmod(mode)

    def test_madeOnce(self) -> None:
        first = hostKey(str(self.directory))
        second = hostKey(str(self.directory))
        self.assertEqual(first.type(), "Ed25519")
        self.assertEqual(first.blob(), second.blob())
        self.assertFalse(first.isPublic())

    def test_fileMode(self) -> None:
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        hostKey(str(self.directory))
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual(os.listdir(self.directory), [FILE_NAME])
        self.assertTrue(self.path.read_bytes().startswith(b"-----BEGIN OPENSSH PRIVATE KEY"))

    def test_theQuickerOneWins(self) -> None:
        """
        Another process makes the key after this one has found none.
        """
        theirs: list[bytes] = []
        make = _hostkey._make

        def makeTwice(folder: Folder) -> None:
            make(folder)
            theirs.append(self.path.read_bytes())
            make(folder)

        self.patch(_hostkey, "_make", makeTwice)
        hostKey(str(self.directory))
        self.assertEqual(self.path.read_bytes(), theirs[0])
        self.assertEqual(os.listdir(self.directory), [FILE_NAME])

    def test_readableByOthers(self) -> None:
        hostKey(str(self.directory))
        self.path.chmod(0o640)
        self.assertIn("chmod 600", self.refused())

    def test_link(self) -> None:
        self.path.symlink_to("elsewhere")
        self.assertIn("symbolic link", self.refused())
        self.assertFalse((self.directory / "elsewhere").exists())

    def test_directory(self) -> None:
        self.path.mkdir()
        self.assertIn("remove it", self.refused())

    def test_fifo(self) -> None:
        os.mkfifo(self.path, 0o600)
        self.assertIn("remove it", self.refused())

    def test_long(self) -> None:
        self.put(b"x" * 16385)
        self.assertIn("remove it", self.refused())

    def test_otherKinds(self) -> None:
        curve = ec.generate_private_key(ec.SECP256R1())
        self.put(curve.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        self.assertIn("a private EC key", self.refused())
        key = ed25519.Ed25519PrivateKey.generate()
        self.put(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH))
        self.assertIn("a public Ed25519 key", self.refused())
        self.put(b"")
        self.assertIn("something that can't be read", self.refused())

    def test_passphrase(self) -> None:
        key = ed25519.Ed25519PrivateKey.generate()
        locked = BestAvailableEncryption(b"secret")
        self.put(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
        self.assertIn("without a passphrase", self.refused())

    def test_noDirectory(self) -> None:
        self.directory.rmdir()
        self.assertIn("can't be read or made", self.refused())

    def test_fingerprint(self) -> None:
        """
        As C{ssh-keygen -l} shows it.
        """
        key = hostKey(str(self.directory))
        shown = fingerprint(key)
        self.assertRegex(shown, r"^SHA256:[A-Za-z0-9+/]{43}$")
        self.assertEqual(shown, fingerprint(key.public()))
