"""
Certificates for a run.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

#: The name in all certificates.
NAME = "localhost"

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Files:
    """
    The files of certificates: each has its key in it, and is alone in its folder.

    @ivar authority: the certificate of the authority that has signed the others.
    @ivar ecdsa: one with a key of the curve P-256.
    @ivar rsa: one with an RSA key of 2048 bits.
    """

    authority: Path
    ecdsa: Path
    rsa: Path

    @classmethod
    def make(cls, folder: Path) -> Files:
        """
        Make them in a folder.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        authority = _builder("Benchmarks", "Benchmarks", key)
        authority = authority.add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        keys: dict[str, Key] = {
            "ecdsa": ec.generate_private_key(ec.SECP256R1()),
            "rsa": rsa.generate_private_key(65537, 2048),
        }
        signed = authority.sign(key, hashes.SHA256())
        paths = {"authority": folder / "authority.pem"}
        paths["authority"].write_bytes(signed.public_bytes(Encoding.PEM))
        for kind, each in keys.items():
            leaf = _builder(NAME, "Benchmarks", each).add_extension(
                x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False
            )
            pem = leaf.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
            pem += each.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            paths[kind] = folder / kind / "certificate.pem"
            paths[kind].parent.mkdir()
            paths[kind].write_bytes(pem)
            paths[kind].chmod(0o600)
        return cls(**paths)


def _builder(name: str, issuer: str, key: Key) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + 30 * _DAY)
    )
