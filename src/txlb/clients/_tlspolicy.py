"""
TLS of HTTP clients.
"""

from __future__ import annotations

from typing import Any

from OpenSSL.crypto import Error as CryptoError
from twisted.internet.ssl import (
    Certificate,
    PrivateCertificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from txlb.errors import CertificateError

#: The line that ends a certificate in PEM form.
_END = b"-----END CERTIFICATE-----"


@implementer(IPolicyForHTTPS)
class TLSPolicy:
    """
    Verifies servers by their names, and shows them a certificate of one's own.

    @param ca: certificates in PEM form that those of the servers have to be signed by; L{None}
        for those of the system.
    @param clientCertificate: a certificate in PEM form with its private key, and those that it is
        signed by, if there are some; L{None} for none.
    @raise CertificateError: one of the two is none.
    """

    def __init__(self, ca: bytes | None = None, clientCertificate: bytes | None = None) -> None:
        self._trust = None if ca is None else trustRootFromCertificates(_certificates(ca, "ca"))
        self._own: PrivateCertificate | None = None
        self._extra: dict[str, Any] = {}
        if clientCertificate is not None:
            _, *others = _certificates(clientCertificate, "clientCertificate")
            self._own = _withKey(clientCertificate)
            self._extra = {"extraCertChain": [each.original for each in others]}

    def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
        """
        Make the connection creator for a server.
        """
        return optionsForClientTLS(
            hostname.decode("ascii"),
            trustRoot=self._trust,
            clientCertificate=self._own,
            extraCertificateOptions=dict(self._extra),
        )


def _certificates(data: bytes, what: str) -> list[Certificate]:
    """
    Read the certificates of a file.

    @raise CertificateError: there is none, or one is wrong.
    """
    try:
        found = [Certificate.loadPEM(part + _END) for part in data.split(_END)[:-1]]
    except (CryptoError, ValueError):
        raise CertificateError(f"{what} has a certificate that can't be read") from None
    if not found:
        raise CertificateError(f"{what} has no certificate in PEM form")
    return found


def _withKey(data: bytes) -> PrivateCertificate:
    """
    Read a certificate with its key.

    @raise CertificateError: it has no key that can be used.
    """
    # OpenSSL would ask for the password on the terminal.
    if b"ENCRYPTED" not in data:
        try:
            found: PrivateCertificate = PrivateCertificate.loadPEM(data)
        except (CryptoError, ValueError):
            pass
        else:
            return found
    raise CertificateError("clientCertificate has no private key without a password")
