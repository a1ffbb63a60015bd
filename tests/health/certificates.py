"""
Certificates, made when they are wanted.
"""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet.task import deferLater

from txlb.testing import Stream

DAY = dt.timedelta(days=1)


class Certificates:
    """
    An authority of its own, and certificates by it.

    @param folder: where the files go.

    @ivar authority: the PEM file of the authority.
    @ivar outgoing: what the server of the last handshake wants to send.
    """

    def __init__(self, folder: Path) -> None:
        self.outgoing = ssl.MemoryBIO()
        self._folder = folder.resolve()
        self._folder.mkdir(parents=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("an authority for tests")
        certificate = self._sign(self._name, self._key, authority=True)
        self.authority = self._folder / "authority.pem"
        self.authority.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def server(self, name: str, *, expired: bool = False) -> Path:
        """
        A PEM file with a key and a certificate for a server.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(_name(name), key, server=name, expired=expired)
        path = self._folder / f"{name}{'-expired' if expired else ''}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return path

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        server: str = "",
        authority: bool = False,
        expired: bool = False,
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 10 * DAY)
            .not_valid_after(now - DAY if expired else now + 10 * DAY)
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
        )
        if server:
            names = x509.SubjectAlternativeName([x509.DNSName(server)])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    async def handshake(
        self, reactor: Any, stream: Stream, name: str, **more: bool
    ) -> ssl.SSLObject:
        """
        Be a TLS server until the handshake is over.

        @raise ssl.SSLError: the client does not like the certificate.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server(name, **more))
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.outgoing = outgoing
        server = context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                server.do_handshake()
            except ssl.SSLWantReadError:
                await stream.writeAll(outgoing.read())
                # Let the client have its turn.
                await deferLater(reactor, 0.002, lambda: None)
                stream.read()
                if not stream.received and (stream.ended or stream.wasReset):
                    raise ssl.SSLError("the client is gone") from None
                incoming.write(bytes(stream.received))
                stream.received.clear()
            else:
                await stream.writeAll(outgoing.read())
                return server


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
