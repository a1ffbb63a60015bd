"""
Reading certificates and keys from files and folders.
"""

from __future__ import annotations

import os

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import Authority, keyPEM, newKey, put
from txlb.tls import readCertificates
from txlb.tls._read import MOST_BYTES, stampsOf


class ReadTests(SynchronousTestCase):
    """
    L{readCertificates}.
    """

    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.makedirs(self.folder)
        self.root = Authority("root")
        self.authority = Authority("between", self.root)

    def put(self, name: str, *parts: bytes, mode: int = 0o600) -> str:
        return put(self.folder, name, *parts, mode=mode)

    def names(self) -> list[tuple[str, ...]]:
        found = readCertificates([self.folder])
        self.assertEqual(found.problems, [])
        return [each.names for each in found.certificates]

    def problem(self, *paths: str) -> str:
        found = readCertificates(paths or [self.folder])
        (problem,) = found.problems
        return str(problem)

    def test_anyOrder(self) -> None:
        """
        A file has the key and the chain in any order, and the root is left out.
        """
        pem, key = self.authority.certify(["A.example", "*.a.example", "192.0.2.1"])
        leaf, between = pem.split(b"-----BEGIN CERTIFICATE-----")[1:]
        begin = b"-----BEGIN CERTIFICATE-----"
        for number, parts in enumerate(
            [
                (key, begin + between, begin + leaf, self.root.pem),
                (begin + leaf, key, self.root.pem, begin + between),
            ]
        ):
            self.put("all.pem", *parts)
            (found,) = readCertificates([self.folder]).certificates
            self.assertEqual(found.names, ("a.example", "*.a.example", "192.0.2.1"), number)
            self.assertEqual(
                [each.subject for each in found.chain],
                [found.leaf.subject, self.authority.certificate.subject],
            )
            self.assertEqual((found.keyKind, found.isSlow), ("ECDSA secp256r1", False))
            self.assertIn("a.example", repr(found))

    def test_certbot(self) -> None:
        """
        Certbot has a folder for each name, with the key and the chain in files of their
        own, and the certificate alone in another.
        """
        for name in ("a.example", "b.example"):
            folder = os.path.join(self.folder, name)
            pem, key = self.authority.certify([name])
            end = b"-----END CERTIFICATE-----\n"
            leaf = pem.split(end)[0] + end
            put(folder, "cert.pem", leaf)
            put(folder, "chain.pem", self.authority.pem)
            put(folder, "fullchain.pem", pem)
            put(folder, "privkey.pem", key)
        self.put("README", b"This is no certificate.")
        found = readCertificates([self.folder])
        self.assertEqual(found.problems, [])
        self.assertEqual(
            [each.names for each in found.certificates], [("a.example",), ("b.example",)]
        )
        self.assertEqual([len(each.chain) for each in found.certificates], [2, 2])
        self.assertTrue(found.certificates[0].file.endswith("a.example/fullchain.pem"))
        self.assertTrue(found.certificates[0].keyFile.endswith("a.example/privkey.pem"))

    def test_twoKinds(self) -> None:
        """
        A name has certificates of two kinds of key, and a name of a certificate may be its
        common name only.
        """
        for kind in ("ecdsa", "rsa2048"):
            pem, key = self.authority.certify([], newKey(kind), common="Old.example")
            self.put(f"{kind}.pem", pem, key)
        self.assertEqual(self.names(), [("old.example",), ("old.example",)])

    def test_namedFiles(self) -> None:
        """
        Files are named one by one, with the key in another one.
        """
        pem, key = self.authority.certify(["a.example"])
        files = [self.put("a.crt", pem), self.put("a.secret", key)]
        (found,) = readCertificates(files).certificates
        self.assertEqual((found.file, found.keyFile), tuple(files))

    def test_strayKey(self) -> None:
        """
        The key is that of another certificate.
        """
        pem, _ = self.authority.certify(["a.example"])
        path = self.put("a.pem", pem, keyPEM(newKey()))
        found = readCertificates([self.folder])
        self.assertEqual(found.certificates, [])
        self.assertEqual(
            [str(each) for each in found.problems],
            [
                f"{path}: the key in it is not the key of the certificate in it",
                f"{path}: the certificate in it has no key here; put its key beside it",
            ],
        )

    def test_strayKeyBesideOthers(self) -> None:
        for name in ("a", "b"):
            self.put(f"{name}.pem", *self.authority.certify([f"{name}.example"]))
        self.put("stray.key", keyPEM(newKey()))
        self.assertIn("not the key of any certificate here", self.problem())

    def test_noKey(self) -> None:
        pem, _ = self.authority.certify(["a.example"])
        self.put("a.pem", pem)
        self.assertIn("has no key here; put its key beside it", self.problem())

    def test_empty(self) -> None:
        self.assertIn("this folder has no certificates; put PEM files into it", self.problem())

    def test_nothingInIt(self) -> None:
        self.put("a.pem", b"hello\n")
        self.assertIn("there is no certificate and no key in it", self.problem())

    def test_halfWritten(self) -> None:
        pem, key = self.authority.certify(["a.example"])
        self.put("a.pem", key, pem[: len(pem) // 3])
        self.assertIn("a block in it has no end; it may be half written", self.problem())

    def test_garbage(self) -> None:
        broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        self.put("a.pem", broken)
        self.assertIn("a certificate in it can't be read", self.problem())
        self.put("a.pem", broken.replace(b"CERTIFICATE", b"PRIVATE KEY"))
        self.assertIn("the key in it can't be read", self.problem())

    def test_encrypted(self) -> None:
        key = newKey().private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
        )
        self.put("a.pem", key)
        self.assertIn("the key in it is encrypted", self.problem())

    def test_othersCanRead(self) -> None:
        """
        A key that others can read is refused; its certificate may be read by all.
        """
        pem, key = self.authority.certify(["a.example"])
        self.put("a.crt", pem, mode=0o644)
        path = self.put("a.key", key, mode=0o644)
        found = readCertificates([self.folder])
        self.assertEqual(found.certificates, [])
        self.assertIn(f"chmod 0600 {path}", str(found.problems[0]))
        os.chmod(path, 0o640)
        self.assertEqual(self.names(), [("a.example",)])

    def test_noFile(self) -> None:
        self.assertIn("No such file", self.problem(os.path.join(self.folder, "none.pem")))
        os.mkfifo(os.path.join(self.folder, "pipe.pem"))
        self.assertIn("it is no file", self.problem())

    def test_large(self) -> None:
        self.put("a.pem", b"x" * (MOST_BYTES + 1))
        self.assertIn("it has more than 1 MiB", self.problem())

    def test_stamps(self) -> None:
        """
        A change of a file is noticed without reading it.
        """
        path = self.put("a.pem", b"one")
        before = stampsOf([self.folder, "none"])
        self.assertEqual(stampsOf([self.folder, "none"]), before)
        self.assertEqual(list(before), [path, "none"])
        self.put("b.pem", b"two")
        self.assertNotEqual(stampsOf([self.folder, "none"]), before)
