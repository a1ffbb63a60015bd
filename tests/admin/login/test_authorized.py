"""
Tests for L{txlb.admin.login._authorized}.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.conch.ssh.common import NS
from twisted.trial.unittest import SynchronousTestCase

from tests.admin.fakes import collectLog, lines
from txlb.admin.login import _authorized
from txlb.admin.login._authorized import (
    MAX_SIZE,
    AuthorizedKeys,
    AuthorizedKeysError,
    KeyFiles,
    publicKey,
    readAuthorizedKeys,
)


def publicLine(
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
) -> bytes:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)


class AuthorizedKeysTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.line = publicLine(ed25519.Ed25519PrivateKey.generate())

    def put(self, data: bytes) -> None:
        self.path.write_bytes(data)
        self.path.chmod(0o600)

    def refused(self) -> str:
        error = self.assertRaises(AuthorizedKeysError, readAuthorizedKeys, str(self.path))
        self.assertIn(str(self.path), str(error))
        return str(error)

    def test_keys(self) -> None:
        curve = publicLine(ec.generate_private_key(ec.SECP256R1()))
        big = publicLine(rsa.generate_private_key(65537, 2048))
        self.put(b"\n# mine\n" + self.line + b" me@home\r\n  " + curve + b"\n" + big)
        found = readAuthorizedKeys(str(self.path))
        types = [publicKey(blob).type() for blob in found.blobs]
        self.assertEqual(sorted(types), ["EC", "Ed25519", "RSA"])
        self.assertEqual(found.problems, ())

    def test_linesThatAreLeftOut(self) -> None:
        small = publicLine(rsa.generate_private_key(65537, 1024))
        kind, data = self.line.split()
        self.put(
            b"\n".join(
                [
                    b'from="10.0.0.1" ' + self.line,
                    b"ssh-ed25519 no+base64",
                    b"ssh-rsa " + data,
                    small,
                    b"ssh-dss AAAA",
                    kind,
                    b"ssh-rsa " + b64encode(NS(b"ssh-rsa") + NS(b"\1")),
                    b"ssh-rsa " + b64encode(NS(b"ssh-rsa") + NS(b"\1") + NS(b"\1" * 2049)),
                    self.line,
                ]
            )
        )
        found = readAuthorizedKeys(str(self.path))
        self.assertEqual(found.blobs, {b64decode(data)})
        problems = found.problems
        places = [f"{self.path}:{number}: " for number in range(1, 9)]
        self.assertEqual(
            [p[: len(place)] for p, place in zip(problems, places, strict=True)], places
        )
        self.assertIn("options are not supported", problems[0])
        self.assertIn("no public key", problems[1])
        self.assertIn("not the kind", problems[2])
        self.assertIn("2048 bits, and at most 16384, not 1024", problems[3])
        self.assertIn("no public key", problems[6])
        self.assertIn("not 16385", problems[7])

    def test_manyWrongLines(self) -> None:
        """
        The first 50 problems of a file are told, and the others are counted: a file of 256 KiB
        can have 131,072 lines.
        """
        self.put(b"x\n" * 20_000 + self.line)
        found = readAuthorizedKeys(str(self.path))
        self.assertEqual(len(found.blobs), 1)
        self.assertEqual(len(found.problems), 51)
        self.assertTrue(found.problems[49].startswith(f"{self.path}:50: "), found.problems[49])
        self.assertEqual(found.problems[50], f"{self.path}: and 19950 more lines")

    def test_noKey(self) -> None:
        """
        What is only looked like a key until it is used.
        """
        blob = NS(b"ssh-ed25519") + NS(b"short")
        self.assertRaises(AuthorizedKeysError, publicKey, blob)

    def test_missing(self) -> None:
        self.assertIn("No such file", self.refused())

    def test_writableByOthers(self) -> None:
        self.put(self.line)
        self.path.chmod(0o620)
        self.assertIn("written to by others", self.refused())

    def test_noFile(self) -> None:
        self.path.mkdir(0o700)
        self.refused()
        self.path.rmdir()
        os.mkfifo(self.path, 0o600)
        self.assertIn("is no file", self.refused())

    def test_long(self) -> None:
        self.put(b"#" * (MAX_SIZE + 1))
        self.assertIn("longer than", self.refused())


class KeyFilesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir(mode=0o755)
        self.path = self.folder / "keys"
        self.files = KeyFiles()
        self.lines = [publicLine(ed25519.Ed25519PrivateKey.generate()) for _ in range(2)]
        self.put(self.lines[0])

    def put(self, *lines: bytes) -> None:
        self.path.write_bytes(b"\n".join(lines))
        self.path.chmod(0o600)

    def holds(self, number: int) -> bool:
        return self.files.holds(str(self.path), b64decode(self.lines[number].split()[1]))

    def test_holds(self) -> None:
        self.assertTrue(self.holds(0))
        self.assertFalse(self.holds(1))

    def test_readWhenItHasChanged(self) -> None:
        """
        And only then: to read a hundred keys takes milliseconds, and anybody can ask for it.
        """
        read: list[str] = []
        original = _authorized.readAuthorizedKeys

        def counted(path: str) -> AuthorizedKeys:
            read.append(path)
            return original(path)

        self.patch(_authorized, "readAuthorizedKeys", counted)
        for _ in range(3):
            self.assertFalse(self.holds(1))
        self.assertEqual(len(read), 1)
        self.put(*self.lines)
        self.assertTrue(self.holds(1))
        self.put(self.lines[0])
        self.assertFalse(self.holds(1))
        self.assertEqual(len(read), 3)

    def test_problemsAreLoggedOnce(self) -> None:
        events = collectLog(self)
        self.put(b"nonsense", self.lines[0])
        for _ in range(3):
            self.assertTrue(self.holds(0))
        (line,) = lines(events)
        self.assertIn(f"{self.path}:1: ", line)

    def test_folders(self) -> None:
        """
        Looked at each time: who may write to one may put another file there.
        """
        self.assertTrue(self.holds(0))
        self.folder.chmod(0o777)
        error = self.assertRaises(AuthorizedKeysError, self.holds, 0)
        self.assertIn(f"{self.path} is not used: its folder", str(error))
        self.assertIn("chmod go-w", str(error))
        self.folder.chmod(0o755)
        self.assertTrue(self.holds(0))

    def test_file(self) -> None:
        self.assertTrue(self.holds(0))
        self.path.chmod(0o666)
        error = self.assertRaises(AuthorizedKeysError, self.holds, 0)
        self.assertIn("can be written to by others", str(error))
        self.path.unlink()
        error = self.assertRaises(AuthorizedKeysError, self.holds, 0)
        self.assertIn("No such file", str(error))

    def test_bound(self) -> None:
        self.patch(_authorized, "MAX_FILES", 2)
        for number in range(4):
            path = self.folder / f"{number}"
            path.write_bytes(self.lines[0])
            path.chmod(0o600)
            self.files.holds(str(path), b"")
        self.assertEqual(list(self.files._files), [str(self.folder / n) for n in ("2", "3")])
