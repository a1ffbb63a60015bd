"""
Tests for L{txlb.admin._authorized}.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.trial.unittest import SynchronousTestCase

from txlb.admin._authorized import MAX_SIZE, AuthorizedKeysError, readAuthorizedKeys


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
        keys, problems = readAuthorizedKeys(str(self.path))
        self.assertEqual([key.type() for key in keys], ["Ed25519", "EC", "RSA"])
        self.assertEqual(problems, [])

    def test_linesThatAreLeftOut(self) -> None:
        small = publicLine(rsa.generate_private_key(65537, 1024))
        kind, data = self.line.split()
        self.put(
            b"\n".join(
                [
                    b'from="10.0.0.1" ' + self.line,
                    b"ssh-ed25519 nonsense",
                    b"ssh-rsa " + data,
                    small,
                    b"ssh-dss AAAA",
                    kind,
                    self.line,
                ]
            )
        )
        keys, problems = readAuthorizedKeys(str(self.path))
        self.assertEqual(len(keys), 1)
        places = [f"{self.path}:{number}: " for number in range(1, 7)]
        self.assertEqual(
            [p[: len(place)] for p, place in zip(problems, places, strict=True)], places
        )
        self.assertIn("options are not supported", problems[0])
        self.assertIn("no public key", problems[1])
        self.assertIn("not the kind", problems[2])
        self.assertIn("2048 bits, not 1024", problems[3])

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
