"""
Certificates for tests, made on the spot.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

_DAY = dt.timedelta(days=1)

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def newKey(kind: str = "ecdsa") -> Key:
    """
    Make a private key.

    @param kind: C{ecdsa}, or C{rsa} with its bits, such as C{rsa2048}.
    """
    if kind == "ecdsa":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, int(kind.removeprefix("rsa")))


def keyPEM(key: Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class Authority:
    """
    An authority that signs certificates.

    @ivar pem: its own certificate.
    """

    def __init__(self, name: str = "Test CA", above: Authority | None = None) -> None:
        self.key = newKey()
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.above = above
        issuer = self if above is None else above
        self.certificate = (
            _builder(self.name, issuer.name, self.key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(issuer.key, hashes.SHA256())
        )
        self.pem = self.certificate.public_bytes(Encoding.PEM)

    def certify(
        self,
        names: Sequence[str],
        key: Key | None = None,
        *,
        common: str = "",
        days: float = 30,
        begins: float = -1,
        nameless: bool = False,
    ) -> tuple[bytes, bytes]:
        """
        Sign a certificate.

        @param names: the alternative names; with none it has only its common name.
        @param nameless: whether it has no common name.
        @param days: the days from now until which it is valid.
        @param begins: the days from now from which it is.
        @return: the certificate with its chain, and the key.
        """
        key = newKey() if key is None else key
        common = common or (names[0] if names else "x")
        parts = [] if nameless else [x509.NameAttribute(x509.NameOID.COMMON_NAME, common)]
        subject = x509.Name(parts)
        builder = _builder(subject, self.name, key, days, begins)
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_name(each) for each in names]), critical=False
            )
        pem = builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)
        chain = b"" if self.above is None else self.pem
        return pem + chain, keyPEM(key)

    def revoke(self, pem: bytes) -> bytes:
        """
        Make a list of revoked certificates with this one.
        """
        now = dt.datetime.now(dt.UTC)
        revoked = (
            x509.RevokedCertificateBuilder()
            .serial_number(x509.load_pem_x509_certificate(pem).serial_number)
            .revocation_date(now - _DAY)
            .build()
        )
        crl = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(now - _DAY)
            .next_update(now + 30 * _DAY)
            .add_revoked_certificate(revoked)
            .sign(self.key, hashes.SHA256())
        )
        return crl.public_bytes(Encoding.PEM)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Key, days: float = 365, begins: float = -1
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins * _DAY)
        .not_valid_after(now + days * _DAY)
    )


def put(folder: str, name: str, *parts: bytes, mode: int = 0o600) -> str:
    """
    Write a file.

    @return: its path.
    """
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(b"".join(parts))
    os.chmod(path, mode)
    return path
