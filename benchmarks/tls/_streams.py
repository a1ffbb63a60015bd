"""
TLS of clients and hosts: OpenSSL on the socket, by direct calls, so that it costs little.

All speak TLS 1.3 with the same cipher and group, so that every proxy does the same work.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from OpenSSL import SSL

from benchmarks.tls._authority import NAME
from benchmarks.traffic import Trouble, connect

_lib: Any = SSL._lib  # type: ignore[attr-defined]  # noqa: SLF001 - its methods cost too much
_ffi: Any = SSL._ffi  # type: ignore[attr-defined]  # noqa: SLF001 - the same

#: Bytes of a TLS record at most.
RECORD = 16384

_plain = _ffi.new("char[]", RECORD)


class TLSStream:
    """
    TLS on a socket. The first call begins the handshake.

    @param client: the clients of which it is one, if it is a client.

    @ivar connection: the connection as pyOpenSSL has it.
    """

    def __init__(
        self, sock: socket.socket, connection: SSL.Connection, client: TLSClients | None = None
    ) -> None:
        made: Any = connection
        self._sock = sock
        self.connection = connection
        self._ssl = made._ssl  # noqa: SLF001 - its methods cost too much
        self._client = client
        self.fileno = sock.fileno

    def recv(self, size: int, /) -> bytes:
        """
        See C{Stream}.
        """
        count = _lib.SSL_read(self._ssl, _plain, min(size, RECORD))
        return _ffi.buffer(_plain, count)[:] if count > 0 else self._ended(count)

    def recv_into(self, buffer: memoryview, /) -> int:
        """
        See C{Stream}.
        """
        to, got = _ffi.from_buffer(buffer), 0
        while not got or len(buffer) - got >= RECORD:
            # No record is read in part, as no event tells of the rest of one.
            count = _lib.SSL_read(self._ssl, to + got, len(buffer) - got)
            if count <= 0:
                if not got:
                    self._ended(count)
                break
            got += count
        return got

    def send(self, data: bytes | memoryview, /) -> int:
        """
        See C{Stream}.
        """
        of, sent = _ffi.from_buffer(data), 0
        while sent < len(data):
            count = _lib.SSL_write(self._ssl, of + sent, len(data) - sent)
            if count <= 0:
                if not sent:
                    self._ended(count)
                break
            sent += count
        return sent

    def _ended(self, count: int) -> bytes:
        error = _lib.SSL_get_error(self._ssl, count)
        if error in (_lib.SSL_ERROR_WANT_READ, _lib.SSL_ERROR_WANT_WRITE):
            raise BlockingIOError
        if error == _lib.SSL_ERROR_ZERO_RETURN:
            return b""
        if error == _lib.SSL_ERROR_SYSCALL:
            number = _ffi.errno
            raise OSError(number, os.strerror(number))
        reason = _lib.ERR_reason_error_string(_lib.ERR_get_error())
        _lib.ERR_clear_error()
        said = "no reason" if reason == _ffi.NULL else _ffi.string(reason).decode("ascii")
        raise OSError(0, f"TLS: {said}")

    def close(self) -> None:
        """
        Tell the other end, and close the socket.
        """
        if self._client is not None:
            self._client.closing(self.connection)
        _lib.SSL_shutdown(self._ssl)
        _lib.ERR_clear_error()
        self._sock.close()


def _context(method: int) -> SSL.Context:
    context = SSL.Context(method)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_tls13_ciphersuites(b"TLS_AES_128_GCM_SHA256")
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    # Some close without close_notify.
    context.set_options(_lib.SSL_OP_IGNORE_UNEXPECTED_EOF)
    _lib.SSL_CTX_set1_curves_list(context._context, b"X25519")  # noqa: SLF001 - no method
    return context


class TLSClients:
    """
    The clients of one peer.

    @param resumes: whether they resume the session of the first of them.
    @param authority: the certificate of the authority by which they verify the peer's; by default
        they don't.
    """

    def __init__(
        self, trouble: Trouble, resumes: bool = False, authority: Path | None = None
    ) -> None:
        self._trouble = trouble
        self._resumes = resumes
        self._session: SSL.Session | None = None
        self._context = _context(SSL.TLS_CLIENT_METHOD)
        if authority is not None:
            self._context.load_verify_locations(str(authority))
            self._context.set_verify(SSL.VERIFY_PEER)

    def connect(self, address: tuple[str, int]) -> TLSStream:
        """
        Connect one.
        """
        sock = connect(address)
        connection = SSL.Connection(self._context, sock)
        connection.set_connect_state()
        connection.set_tlsext_host_name(NAME.encode("ascii"))
        if self._session is not None:
            connection.set_session(self._session)
        return TLSStream(sock, connection, self)

    def closing(self, connection: SSL.Connection) -> None:
        """
        Look whether it has resumed a session if it should have, and only then.
        """
        resumed = bool(_lib.SSL_session_reused(connection._ssl))  # noqa: SLF001 - no method
        if resumed != (self._session is not None):
            how = "was resumed" if resumed else "was not resumed"
            self._trouble.happened(f"client: a session {how}")
        elif self._resumes and self._session is None:
            self._session = connection.get_session()


def hosts(certificate: Path) -> Callable[[socket.socket], TLSStream]:
    """
    Return what makes TLS of the sockets of hosts.

    @param certificate: a file of a certificate with its key.
    """
    context = _context(SSL.TLS_SERVER_METHOD)
    context.set_session_id(b"hosts")
    context.use_certificate_file(str(certificate))
    context.use_privatekey_file(str(certificate))

    def wrap(sock: socket.socket) -> TLSStream:
        connection = SSL.Connection(context, sock)
        connection.set_accept_state()
        return TLSStream(sock, connection)

    return wrap
