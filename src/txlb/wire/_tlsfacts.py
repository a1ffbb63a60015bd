"""
A TLS session of a client, in the terms of a PROXY header.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from txlb.wire._tlvs import TLVError, parseTLVs, tlv

# Section 2.2.6 of the specification.
_CLIENT_SSL, _CERT_CONNECTION, _CERT_SESSION = 0x01, 0x02, 0x04
_VERSION, _COMMON_NAME, _CIPHER, _SIGNATURE, _KEY = 0x21, 0x22, 0x23, 0x24, 0x25

_FIXED = struct.Struct("!BI")


@dataclass(frozen=True, slots=True)
class TLSFacts:
    """
    The facts of a client's TLS session. They come of a handshake here, or of the SSL TLV of a
    PROXY header.

    @ivar version: such as C{TLSv1.3}.
    @ivar cipher: the name of the cipher, such as C{TLS_AES_128_GCM_SHA256}.
    @ivar commonName: the common name of the client's certificate; L{None} if the client has
        shown none, or if its certificate has none.
    @ivar signatureAlgorithm: that of the certificate that the server has shown, such as
        C{SHA256}.
    @ivar keyAlgorithm: that of the key of this certificate, such as C{RSA2048}.
    @ivar certificateNow: whether the client has shown a certificate in this connection.
    @ivar certificateInSession: whether it has shown one when its session began.
    @ivar verifyResult: 0 if the certificate of the client is good; else the number of the
        fault, as OpenSSL has it. It is not 0 if the client has shown none.
    @ivar protocol: the protocol that was agreed on (ALPN), as text of one character a byte; a
        PROXY header has it in a TLV of its own.
    """

    version: str = ""
    cipher: str = ""
    commonName: str | None = None
    signatureAlgorithm: str = ""
    keyAlgorithm: str = ""
    certificateNow: bool = False
    certificateInSession: bool = False
    verifyResult: int = 1
    protocol: str = ""

    def toTLV(self) -> bytes:
        """
        Return the value of the SSL TLV.
        """
        flags = (
            _CLIENT_SSL
            | (_CERT_CONNECTION if self.certificateNow else 0)
            | (_CERT_SESSION if self.certificateInSession else 0)
        )
        parts = (
            (_VERSION, self.version),
            (_COMMON_NAME, self.commonName or ""),
            (_CIPHER, self.cipher),
            (_SIGNATURE, self.signatureAlgorithm),
            (_KEY, self.keyAlgorithm),
        )
        return _FIXED.pack(flags, self.verifyResult) + b"".join(
            tlv(kind, text.encode("utf-8", "surrogateescape")) for kind, text in parts if text
        )


def parseTLSFacts(value: bytes) -> TLSFacts | None:
    """
    Read the value of an SSL TLV.

    @return: L{None} if it says that the client has not used TLS.
    @raise TLVError: it is malformed.
    """
    if len(value) < _FIXED.size:
        raise TLVError("an SSL TLV of less than 5 bytes")
    flags, verifyResult = _FIXED.unpack_from(value)
    texts: dict[int, str] = {}
    for kind, part in parseTLVs(value[_FIXED.size :]):
        texts.setdefault(kind, part.decode("utf-8", "surrogateescape"))
    if not flags & _CLIENT_SSL:
        return None
    return TLSFacts(
        version=texts.get(_VERSION, ""),
        cipher=texts.get(_CIPHER, ""),
        commonName=texts.get(_COMMON_NAME),
        signatureAlgorithm=texts.get(_SIGNATURE, ""),
        keyAlgorithm=texts.get(_KEY, ""),
        certificateNow=bool(flags & _CERT_CONNECTION),
        certificateInSession=bool(flags & _CERT_SESSION),
        verifyResult=verifyResult,
    )
