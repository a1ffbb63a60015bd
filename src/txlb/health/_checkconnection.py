"""
The connection of a check to a host.

A check is written as steps: a generator that reads from top to bottom. If it has to wait for
the connection it yields C{READ} or C{WRITE}, and L{txlb.health.Sockets} resumes it when the
socket is ready::

    def steps(connection):
        yield from connection.connect()
        yield from connection.send(b"PING\\r\\n")
        answer = yield from connection.receive()
        return Verdict(answer == b"+PONG\\r\\n", repr(answer))
"""

from __future__ import annotations

import errno
import socket
import ssl
import struct
from collections.abc import Generator
from typing import TypeVar

from txlb.connecting import RESET_SINCE, familyAndName
from txlb.health._connectrequest import ConnectRequest
from txlb.health._verdict import CheckEnded, Verdict, tlsReason, verdictOfFailure
from txlb.health._watcher import READ, WRITE
from txlb.model import Address

#: The most bytes that are read at a time.
CHUNK = 16384

Result = TypeVar("Result")

#: A part of a check, with its result.
Steps = Generator["int | ConnectRequest", None, Result]

#: A whole check.
Conversation = Generator["int | ConnectRequest", None, Verdict]

# SO_LINGER on, with 0 seconds: closing the socket resets the connection, so that none
# stays in TIME_WAIT.
_RESET = struct.pack("ii", 1, 0)


class CheckConnection:
    """
    One connection, or the attempt at one. L{txlb.health.Sockets} closes it when the check
    ends.

    @param address: the address to connect to; needs no look-up.
    @param header: bytes to send before any others, such as a PROXY header.
    @param others: other addresses of the host, which are tried if that one fails or
        does not answer soon.
    @param timeout: seconds that the check has.
    @param tls: the context and the name for TLS with the host; L{None} for none.

    @ivar address: the address to connect to; once it is connected, the one that was reached.
    @ivar wentElsewhere: whether the address that was reached is not the first one.
    @ivar doing: the text for the log if the time of the check is over now.
    """

    __slots__ = (
        "_header",
        "_others",
        "_reset",
        "_sock",
        "_timeout",
        "_tls",
        "address",
        "doing",
        "wentElsewhere",
    )

    def __init__(
        self,
        address: Address,
        header: bytes = b"",
        others: tuple[Address, ...] = (),
        timeout: float = 5.0,
        tls: tuple[ssl.SSLContext, str] | None = None,
    ) -> None:
        self._tls = tls
        self.address = address
        self.wentElsewhere = False
        self._header = header
        self._others = others
        self._timeout = timeout
        self._sock: socket.socket | None = None
        self._reset: OSError | None = None
        self.doing = "no connection"

    def fileno(self) -> int:
        """
        Return the descriptor; -1 before L{connect} and after L{close}.
        """
        return -1 if self._sock is None else self._sock.fileno()

    @property
    def _open(self) -> socket.socket:
        if self._sock is None:
            raise ValueError("the connection is not open")
        return self._sock

    def connect(self) -> Steps[None]:
        """
        Connect, send the header, and do the TLS handshake if TLS is spoken to the host.

        @raise OSError: the host can't be reached.
        @raise CheckEnded: none of several addresses can be reached, and why.
        """
        if self._others:
            yield from self._reachOne()
        else:
            yield from self._connect()
        self.doing = "connected, but no answer"
        if self._header:
            yield from self.send(self._header)
        if self._tls is not None:
            yield from self.secure(*self._tls)

    def _reachOne(self) -> Steps[None]:
        request = ConnectRequest((self.address, *self._others), self._timeout)
        yield request
        if request.failure is not None:
            raise CheckEnded(verdictOfFailure(request.failure))
        self._sock = request.sock
        self.wentElsewhere = request.address != self.address
        self.address = request.address

    def _connect(self) -> Steps[None]:
        family, where = familyAndName(self.address)
        self._sock = sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        error = sock.connect_ex(where)
        if error == errno.EINPROGRESS:
            yield WRITE
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error in RESET_SINCE:
            self._reset = OSError(error, "")
            return
        if error:
            raise OSError(error, "")
        if family is not socket.AF_UNIX and sock.getsockname() == sock.getpeername():
            # Nothing listens at this local port, and the kernel gave the same port to this
            # socket (a simultaneous open with itself).
            raise OSError(errno.ECONNREFUSED, "")

    def secure(self, context: ssl.SSLContext, serverName: str | None) -> Steps[None]:
        """
        Do the TLS handshake.

        @param serverName: the name to ask for and to verify. A trailing dot makes
            it absolute for look-ups and is no part of it here (RFC 6066, section 3).
        @raise CheckEnded: the handshake failed, and why.
        """
        self.doing = "connected, but no end of the TLS handshake"
        name = None if serverName is None else serverName.removesuffix(".")
        self._sock = sock = context.wrap_socket(
            self._open, server_hostname=name, do_handshake_on_connect=False
        )
        while True:
            try:
                sock.do_handshake()
            except ssl.SSLWantReadError:
                yield READ
            except ssl.SSLWantWriteError:
                yield WRITE
            except ssl.SSLCertVerificationError as error:
                raise CheckEnded.failed(f"certificate refused: {error.verify_message}") from None
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                raise CheckEnded.failed("closed during the TLS handshake") from None
            except ssl.SSLError as error:
                why = f"the TLS handshake failed: {tlsReason(error)}"
                raise CheckEnded.failed(why) from None
            else:
                break
        self.doing = "connected, but no answer"

    def send(self, data: bytes) -> Steps[None]:
        """
        Send all of some bytes. A host that resets the connection may have sent an answer
        before. So a reset is no error here: L{receive} returns the answer, and then raises.

        @raise OSError: the connection is broken otherwise.
        """
        while data and self._reset is None:
            try:
                data = data[self._open.send(data) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                yield WRITE
            except ssl.SSLWantReadError:
                yield READ
            except ConnectionError as error:
                self._reset = error

    def receive(self, most: int = CHUNK) -> Steps[bytes]:
        """
        Wait for the next bytes.

        @param most: how many at most.
        @return: at least one byte; none if the host has closed.
        @raise OSError: the host has reset the connection, or it is broken.
        """
        sock = self._open
        if not isinstance(sock, ssl.SSLSocket):
            yield READ
        while True:
            try:
                data = sock.recv(most)
                if not data and self._reset is not None:
                    raise self._reset
                return data
            except (BlockingIOError, ssl.SSLWantReadError):
                yield READ
            except ssl.SSLWantWriteError:
                yield WRITE
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return b""

    def resetAtEnd(self) -> None:
        """
        Reset the connection when it is closed: the host frees it at once, and no local port
        waits in TIME_WAIT for a minute.
        """
        self._open.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def close(self) -> None:
        """
        Close the socket if it is open.
        """
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()
