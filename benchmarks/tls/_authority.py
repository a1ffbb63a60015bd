"""
The authority of all certificates of a run.
"""

from __future__ import annotations

import datetime as dt

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

#: The name in all certificates.
NAME = "localhost"

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_ISSUER = "Benchmarks"

_DAY = dt.timedelta(days=1)


class Authority:
    """
    An authority that signs certificates for L{NAME}.

    @ivar pem: its own certificate.
    """

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        own = _builder(_ISSUER, self._key, 30 * _DAY).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.pem = own.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def certify(self, key: Key, days: float = 30.0) -> x509.Certificate:
        """
        Sign a certificate.

        @param days: the days from now for which it is valid; less than 0 if it has expired.
        """
        leaf = _builder(NAME, key, days * _DAY).add_extension(
            x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False
        )
        return leaf.sign(self._key, hashes.SHA256())


def keyPEM(key: Key) -> bytes:
    """
    Return a private key as a PEM file has it.
    """
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _builder(name: str, key: Key, valid: dt.timedelta) -> x509.CertificateBuilder:
    until = dt.datetime.now(dt.UTC) + valid
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _ISSUER)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(until, dt.datetime.now(dt.UTC)) - _DAY)
        .not_valid_after(until)
    )
