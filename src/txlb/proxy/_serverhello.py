"""
The choice of the context for a client, by its ClientHello, and the facts of its session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cryptography.x509 import NameOID
from OpenSSL import SSL
from OpenSSL.crypto import X509

from txlb.proxy._tlstransport import HandshakeRefused
from txlb.tls import Certificate, ServerContext, ServerContexts, wasResumed
from txlb.wire import (
    Alert,
    ClientHello,
    ClientHelloError,
    ClientHelloReader,
    Done,
    NoTLSError,
    TLSFacts,
    wholeClientHello,
)

#: What begins a request of HTTP, which people send to the port of HTTPS now and then.
_METHODS = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"OPTIONS ")

#: The answer to that, as nginx and Go give one.
_PLAIN_HTTP = (
    b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    b"This port speaks HTTPS.\n"
)


class ServerHello:
    """
    The reader of one client's ClientHello, which chooses the context.

    No TLS object exists before the hello is complete, so that a client that sends nothing, or
    garbage, costs little.

    @param contexts: the contexts of the listener.

    @ivar data: all bytes that have come, once the context is chosen.
    @ivar chosen: the context; L{None} before it is chosen.
    """

    __slots__ = ("_contexts", "_hello", "_reader", "chosen", "data")

    def __init__(self, contexts: ServerContexts) -> None:
        self._contexts = contexts
        self._reader: ClientHelloReader | None = None
        self._hello: ClientHello | None = None
        self.data = b""
        self.chosen: ServerContext | None = None

    def feed(self, data: bytes) -> ServerContext | None:
        """
        Take the next bytes of the client.

        @return: the context for the client; L{None} if more bytes are needed.
        @raise HandshakeRefused: the client gets none.
        """
        # In most cases it comes in one piece.
        hello = wholeClientHello(data) if self._reader is None else None
        if hello is not None:
            self.data = data
        else:
            hello = self._read(data)
            if hello is None:
                return None
        self._hello = hello
        self.chosen = self._contexts.choose(hello.serverName)
        if self.chosen is None:
            raise HandshakeRefused(
                f"there is no certificate for {hello.serverName}", Alert.UNRECOGNIZED_NAME.record
            )
        return self.chosen

    @property
    def isSlow(self) -> bool:
        """
        Whether steps of the handshake are slow, once the context is chosen.
        """
        return self.chosen is not None and self.chosen.isSlow

    def begin(self, data: bytes) -> SSL.Connection | None:
        """
        Take the next bytes of the client, as L{feed} does.

        @return: the TLS side for the client, which has its hello; L{None} if more bytes are needed.
        @raise HandshakeRefused: the client gets none.
        """
        chosen = self.feed(data)
        if chosen is None:
            return None
        connection = SSL.Connection(chosen.context, None)
        connection.set_accept_state()
        connection.bio_write(self.data)
        return connection

    def _read(self, data: bytes) -> ClientHello | None:
        """
        Take the next piece of a hello that comes in pieces, or is wrong.
        """
        reader = self._reader
        if reader is None:
            reader = self._reader = ClientHelloReader()
        try:
            hello = reader.feed(data)
        except NoTLSError:
            isHTTP = bytes(reader.data).startswith(_METHODS)
            answer = _PLAIN_HTTP if isHTTP else Alert.UNEXPECTED_MESSAGE.record
            raise HandshakeRefused("it speaks no TLS", answer) from None
        except ClientHelloError as error:
            raise HandshakeRefused(str(error), error.alert.record) from None
        if hello is not None:
            self.data = bytes(reader.data)
        return hello

    def found(self, connection: SSL.Connection, before: Done | None) -> Done:
        """
        Return what is known of a client whose handshake is done. What its ClientHello and its
        session say goes before what a PROXY header has said.

        @param before: what its preface told; L{None} if it had none.
        """
        hello = self._hello
        return replace(
            Done() if before is None else before,
            serverName=None if hello is None else hello.serverName,
            alpn=() if hello is None else hello.alpn,
            # TLS was given these bytes.
            leftover=b"",
            hello=hello,
            tls=_factsOf(connection, () if self.chosen is None else self.chosen.certificates),
        )


def _factsOf(connection: SSL.Connection, certificates: Sequence[Certificate]) -> TLSFacts:
    """
    Read the facts of a session. A client whose certificate is not good has no session.

    @param certificates: those of the context.
    """
    own = _shownTo(connection, certificates)
    certificate = connection.get_peer_certificate()
    shown = certificate is not None
    return TLSFacts(
        version=connection.get_protocol_version_name(),
        cipher=connection.get_cipher_name() or "",
        commonName=None if certificate is None else _commonNameOf(certificate),
        signatureAlgorithm="" if own is None else own.signatureAlgorithm,
        keyAlgorithm="" if own is None else own.keyAlgorithm,
        certificateNow=shown and not wasResumed(connection),
        certificateInSession=shown,
        verifyResult=0 if shown else 1,
        protocol=connection.get_alpn_proto_negotiated().decode("latin-1"),
    )


def _shownTo(connection: SSL.Connection, certificates: Sequence[Certificate]) -> Certificate | None:
    """
    Find the certificate that a client was shown when its session began.

    @return: L{None} if it is not known: the context has several, and the session was resumed.
    """
    if len(certificates) == 1:
        return certificates[0]
    if wasResumed(connection):
        return None
    own = connection.get_certificate(as_cryptography=True)
    return next((each for each in certificates if each.leaf == own), None)


def _commonNameOf(certificate: X509) -> str | None:
    """
    Read the common name of a certificate; L{None} if it has none.
    """
    try:
        subject = certificate.to_cryptography().subject
    except ValueError:
        # OpenSSL takes some certificates that are not well-formed.
        return None
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else None
