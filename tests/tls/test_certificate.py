"""
The kinds of keys and signatures, in the words of others.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from twisted.trial.unittest import SynchronousTestCase

from txlb.tls import Certificate


def signed(key: Any, digest: Any, **more: Any) -> Certificate:
    """
    Make a certificate that signs itself.
    """
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a.example")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, digest, **more)
    )
    return Certificate((made,), key, "a.pem", "a.pem")


class AlgorithmTests(SynchronousTestCase):
    """
    C{keyAlgorithm} and C{signatureAlgorithm} are those that HAProxy 2.6 was seen to send, where
    it sends some.
    """

    def test_algorithms(self) -> None:
        secure = rsa.generate_private_key(65537, 2048)
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        for made, wanted in (
            (signed(secure, hashes.SHA256()), ("RSA2048", "RSA-SHA256")),
            (signed(secure, hashes.SHA256(), rsa_padding=pss), ("RSA2048", "RSASSA-PSS")),
            (
                signed(ec.generate_private_key(ec.SECP384R1()), hashes.SHA384()),
                ("EC384", "ecdsa-with-SHA384"),
            ),
            (signed(ed25519.Ed25519PrivateKey.generate(), None), ("ED25519", "ED25519")),
            (signed(ed448.Ed448PrivateKey.generate(), None), ("ED448", "ED448")),
        ):
            self.assertEqual((made.keyAlgorithm, made.signatureAlgorithm), wanted)
