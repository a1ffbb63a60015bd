"""
Tests for L{txlb.clients._tlspolicy}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.certificates import Authority
from txlb.clients import TLSPolicy
from txlb.errors import CertificateError

LOCKED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMQ==\n-----END ENCRYPTED PRIVATE KEY-----\n"


class TLSPolicyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.authority = Authority()
        self.certificate, self.key = self.authority.certify(["localhost"])

    def test_made(self) -> None:
        policy = TLSPolicy(self.authority.pem, self.certificate + self.key)
        self.assertIsNotNone(policy.creatorForNetloc(b"localhost", 443))
        self.assertIsNotNone(TLSPolicy().creatorForNetloc(b"127.0.0.1", 443))

    def test_wrong(self) -> None:
        cut = self.certificate.replace(b"\nM", b"\n?", 1)
        for ca, certificate, told in (
            (b"", None, "ca has no certificate"),
            (cut, None, "ca has a certificate that can't be read"),
            (None, self.key, "clientCertificate has no certificate"),
            (None, self.certificate, "clientCertificate has no private key"),
            (None, self.certificate + LOCKED, "clientCertificate has no private key"),
        ):
            error = self.assertRaises(CertificateError, TLSPolicy, ca, certificate)
            self.assertIn(told, str(error))
