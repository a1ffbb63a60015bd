"""
The calls of OpenSSL that the fast relay makes.

pyOpenSSL's own methods make an exception of each "nothing yet" and an object of each piece of
bytes, which doubles the cost of a small request. So this takes the functions of OpenSSL from the
library that pyOpenSSL is made of, by names that are pyOpenSSL's own and may go with any release
(decision 0060). L{whyNot} tries them before the first use. If they don't work, the portable relay
has the connections with TLS, by public names alone.

All bytes go through two buffers that all connections share; nothing stays in them.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from OpenSSL.crypto import X509, PKey
from twisted.logger import Logger

_log = Logger()

_lib: Any = getattr(SSL, "_lib", None)
_ffi: Any = getattr(SSL, "_ffi", None)

#: Bytes of a TLS record at most, and what encrypting adds to them.
RECORD = 16384
OVERHEAD = 512

#: Bytes that are read from a socket at once. Twice as many as the fast relay copies otherwise: with
#: 64 KiB a GiB took a fifth more.
READ = 131072

#: Bytes of ciphertext that TLS is given at once: its memory grows with them, and never shrinks.
PIECE = 65536

#: Bytes that decrypting the bytes of a read gives at most: a part of a record may have come
#: before.
PLAIN = READ + RECORD + OVERHEAD

#: Bytes that encrypting all of them gives at most, with the alerts that TLS may add.
WIRE = PLAIN + (PLAIN // RECORD + 4) * OVERHEAD

_NEEDED = (
    "SSL_read",
    "SSL_write",
    "SSL_do_handshake",
    "SSL_shutdown",
    "SSL_get_error",
    "SSL_version",
    "SSL_set_bio",
    "BIO_new",
    "BIO_s_mem",
    "BIO_read",
    "BIO_write",
    "BIO_get_mem_data",
    "ERR_clear_error",
    "ERR_get_error",
    "ERR_reason_error_string",
    "SSL_ERROR_WANT_READ",
    "SSL_ERROR_ZERO_RETURN",
)

available = _ffi is not None and all(hasattr(_lib, name) for name in _NEEDED)

if available:
    read, write = _lib.SSL_read, _lib.SSL_write
    doHandshake, shutdown, getError = _lib.SSL_do_handshake, _lib.SSL_shutdown, _lib.SSL_get_error
    readBIO, writeBIO, dataOf = _lib.BIO_read, _lib.BIO_write, _lib.BIO_get_mem_data
    clearErrors = _lib.ERR_clear_error
    WANT_READ, ZERO_RETURN = _lib.SSL_ERROR_WANT_READ, _lib.SSL_ERROR_ZERO_RETURN
    plain, wire = _ffi.new("char[]", PLAIN), _ffi.new("char[]", WIRE)
    plainView, wireView = memoryview(_ffi.buffer(plain)), memoryview(_ffi.buffer(wire))
    ignored = _ffi.new("char **")
else:  # pragma: no cover - no release of pyOpenSSL that can be installed is like that
    read = write = doHandshake = shutdown = getError = readBIO = writeBIO = dataOf = None
    clearErrors = plain = wire = ignored = None
    WANT_READ = ZERO_RETURN = 0
    plainView = wireView = memoryview(bytearray(WIRE))


class TLSFailure(Exception):
    """
    The failure of a TLS connection: bytes that were changed on their way, or an alert.
    """


class Truncated(TLSFailure):
    """
    The end of the peer's bytes without close_notify.
    """


class Parts:
    """
    The parts of a TLS connection that the calls want.

    @ivar connection: pyOpenSSL's object, which owns all of it.
    @ivar ssl: OpenSSL's connection.
    @ivar into: the memory with ciphertext of the peer.
    @ivar outOf: the memory with ciphertext for the peer.
    """

    __slots__ = ("connection", "into", "outOf", "ssl")

    def __init__(self, connection: SSL.Connection) -> None:
        made: Any = connection
        self.connection = connection
        self.ssl = made._ssl  # noqa: SLF001 - see above
        self.into = made._into_ssl  # noqa: SLF001 - see above
        self.outOf = made._from_ssl  # noqa: SLF001 - see above

    def shed(self) -> None:
        """
        Give back the memory that much traffic has taken, if nothing is in it.
        """
        if dataOf(self.into, ignored) or dataOf(self.outOf, ignored):
            return
        made: Any = self.connection
        self.into = made._into_ssl = _lib.BIO_new(_lib.BIO_s_mem())  # noqa: SLF001 - see above
        self.outOf = made._from_ssl = _lib.BIO_new(_lib.BIO_s_mem())  # noqa: SLF001 - see above
        # It frees the former ones.
        _lib.SSL_set_bio(self.ssl, self.into, self.outOf)


def isOld(parts: Parts) -> bool:
    """
    Tell whether a connection speaks TLS 1.2, in which the last bytes of a server are a part of
    the handshake.
    """
    return bool(_lib.SSL_version(parts.ssl) < SSL.TLS1_3_VERSION)


def whyFailed() -> str:
    """
    Return the reason of the last failure, and forget it.
    """
    text = _lib.ERR_reason_error_string(_lib.ERR_get_error())
    clearErrors()
    # A failure of the system has none.
    return "the handshake failed" if text == _ffi.NULL else _ffi.string(text).decode("ascii")


@cache
def whyNot() -> str | None:
    """
    Try the calls. It takes some milliseconds, once.

    @return: why they can't be used; L{None} if they can.
    """
    if not available:  # pragma: no cover - see above
        return "this release of pyOpenSSL has other names inside"
    try:
        fault = _try()
    except Exception as error:  # noqa: BLE001 - if anything is wrong they are not used
        fault = f"they raised {error!r}"
    if fault is not None:
        _log.warn("OpenSSL can't be called directly: {fault}", fault=fault)
    return fault


def _try() -> str | None:  # noqa: C901 - one story
    """
    Do a handshake in memory, and move bytes both ways.
    """
    ends = [Parts(SSL.Connection(each, None)) for each in _contexts()]
    server, client = ends
    server.connection.set_accept_state()
    client.connection.set_connect_state()
    done: set[int] = set()
    for _ in range(10):
        for source, target in ((client, server), (server, client)):
            result = doHandshake(source.ssl)
            if result == 1:
                done.add(id(source))
            elif getError(source.ssl, result) != WANT_READ:
                return "a handshake fails"
            _pass(source, target)
    if len(done) != 2:
        return "a handshake does not end"
    for source, target in ((client, server), (server, client)):
        for size in (1, RECORD):
            text = bytes(range(256)) * (size // 256) or b"x"
            plainView[:size] = text
            if write(source.ssl, plain, size) != size:
                return "not all bytes are written"
            _pass(source, target)
            plainView[:size] = bytes(size)
            if read(target.ssl, plain, PLAIN) != size or bytes(plainView[:size]) != text:
                return "other bytes are read than were written"
        source.shed()
    shutdown(client.ssl)
    _pass(client, server)
    result = read(server.ssl, plain, PLAIN)
    if result > 0 or getError(server.ssl, result) != ZERO_RETURN:
        return "the end of the bytes is not told"
    return None


def _pass(source: Parts, target: Parts) -> None:
    while (count := readBIO(source.outOf, wire, WIRE)) > 0:
        writeBIO(target.into, wire, count)


def _contexts() -> tuple[SSL.Context, SSL.Context]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "txlb")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    server = SSL.Context(SSL.TLS_SERVER_METHOD)
    server.use_certificate(X509.from_cryptography(certificate))
    server.use_privatekey(PKey.from_cryptography_key(key))
    return server, SSL.Context(SSL.TLS_CLIENT_METHOD)
