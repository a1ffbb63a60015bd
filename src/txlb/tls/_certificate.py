"""
A certificate with its chain and its key.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

#: Signatures that have no digest of their own.
_WITHOUT_DIGEST = {
    x509.SignatureAlgorithmOID.ED25519: "ED25519",
    x509.SignatureAlgorithmOID.ED448: "ED448",
}

#: RSA keys of more bits than this take more than a millisecond a signature.
LARGE_RSA = 3072


@dataclass(frozen=True, eq=False)
class Certificate:
    """
    A certificate with its chain and its key. Two are equal if their certificate and their
    chain are.

    @ivar chain: the certificate, then those of the authorities between it and a root.
    @ivar key: the private key.
    @ivar file: the path of the file that has the certificate.
    @ivar keyFile: the path of the file that has the key.
    """

    chain: tuple[x509.Certificate, ...]
    key: CertificateIssuerPrivateKeyTypes
    file: str
    keyFile: str

    def __repr__(self) -> str:
        return f"<Certificate {self.file}: {', '.join(self.names)}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and self.chain == other.chain

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @property
    def leaf(self) -> x509.Certificate:
        """
        The certificate itself.
        """
        return self.chain[0]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """
        The names that it is for, in lower case: those of its extension for alternative
        names, or else its common name.
        """
        try:
            extension = self.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except x509.ExtensionNotFound:
            common = self.leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
            return tuple(str(each.value).lower() for each in common)
        names = extension.value.get_values_for_type(x509.DNSName)
        places = extension.value.get_values_for_type(x509.IPAddress)
        return (*(name.lower() for name in names), *map(str, places))

    @cached_property
    def keyKind(self) -> str:
        """
        The kind of its key, such as C{RSA 2048}.
        """
        return kindOf(self.key)

    @cached_property
    def keyAlgorithm(self) -> str:
        """
        The kind of its key as PROXY headers have it, in HAProxy's writing: C{RSA2048}, C{EC256},
        or C{ED25519}.
        """
        key = self.key
        if isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
            return f"{'RSA' if isinstance(key, rsa.RSAPrivateKey) else 'EC'}{key.key_size}"
        return kindOf(key).upper()

    @cached_property
    def signatureAlgorithm(self) -> str:
        """
        The kind of its signature as PROXY headers have it, by the short names of OpenSSL:
        C{RSA-SHA256}, C{ecdsa-with-SHA256}, or C{ED25519}; empty if it is not known.
        """
        try:
            used = self.leaf.signature_algorithm_parameters
            digest = self.leaf.signature_hash_algorithm
        except UnsupportedAlgorithm:
            return ""
        if digest is None:
            return _WITHOUT_DIGEST.get(self.leaf.signature_algorithm_oid, "")
        name = digest.name.upper()
        if isinstance(used, padding.PKCS1v15):
            return f"RSA-{name}"
        return f"ecdsa-with-{name}" if isinstance(used, ec.ECDSA) else "RSASSA-PSS"

    @property
    def isSlow(self) -> bool:
        """
        Whether a signature with its key takes more than a millisecond.
        """
        return isinstance(self.key, rsa.RSAPrivateKey) and self.key.key_size > LARGE_RSA

    @property
    def begins(self) -> float:
        """
        The time from which it is valid, in seconds since 1970.
        """
        return self.leaf.not_valid_before_utc.timestamp()

    @property
    def expires(self) -> float:
        """
        The time until which it is valid, in seconds since 1970.
        """
        return self.leaf.not_valid_after_utc.timestamp()

    @cached_property
    def fingerprint(self) -> str:
        """
        Its SHA-256 digest, in hexadecimal digits.
        """
        return self.leaf.fingerprint(hashes.SHA256()).hex()


def kindOf(key: object) -> str:
    """
    Name the kind of a private key, with its curve or its size.
    """
    if isinstance(key, rsa.RSAPrivateKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return f"ECDSA {key.curve.name}"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "Ed25519"
    if isinstance(key, ed448.Ed448PrivateKey):
        return "Ed448"
    return type(key).__name__
