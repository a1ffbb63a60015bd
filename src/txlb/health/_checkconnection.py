"""
A connection to a host, as a check sees it.

A check is written as steps, a generator that reads from top to bottom. Where it
has to wait for the connection it yields C{READ} or C{WRITE}, and whoever runs it
goes on when that can be done::

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

#: The most bytes that are taken at a time.
CHUNK = 16384

Result = TypeVar("Result")

#: A part of a check, with what it comes to.
Steps = Generator["int | ConnectRequest", None, Result]

#: All of it.
Conversation = Generator["int | ConnectRequest", None, Verdict]

# Closing sends a reset, and leaves nothing behind in the kernel.
_RESET = struct.pack("ii", 1, 0)


class CheckConnection:
    """
    One connection, or the attempt at one. Owned by whoever runs the check, who
    closes it.

    @param address: where to; needs no look-up.
    @param header: bytes to send before any others, such as a PROXY header.
    @param others: other addresses of the host, which are tried if that one fails or
        does not answer soon.
    @param timeout: seconds that the check has.

    @ivar address: where to; once it is connected, the address that was reached.
    @ivar wentElsewhere: whether that is another one than the first.
    @ivar doing: what the check waits for now, as a log says it when time is up.
    """

    __slots__ = (
        "_header",
        "_others",
        "_reset",
        "_sock",
        "_timeout",
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
    ) -> None:
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
        The descriptor; -1 before L{connect} and after L{close}.
        """
        return -1 if self._sock is None else self._sock.fileno()

    @property
    def _open(self) -> socket.socket:
        if self._sock is None:
            raise ValueError("the connection is not open")
        return self._sock

    def connect(self) -> Steps[None]:
        """
        Connect, and say the header.

        @raise OSError: it can't be had.
        @raise CheckEnded: none of several addresses can be reached, and why.
        """
        if self._others:
            yield from self._reachOne()
        else:
            yield from self._connect()
        self.doing = "connected, but no answer"
        if self._header:
            yield from self.send(self._header)

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
            # A dead port of our own machine was given to this very socket.
            raise OSError(errno.ECONNREFUSED, "")

    def secure(self, context: ssl.SSLContext, serverName: str | None) -> Steps[None]:
        """
        Make it TLS.

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
        Send all of it. A host that has reset the connection may have answered before, so
        that this ends all the same, and L{receive} tells.

        @raise OSError: the connection is gone.
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
        @return: at least one; none where the host has closed.
        @raise OSError: the connection is gone.
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
        When it is closed, reset it: the host frees it at once, and we have no
        port that waits for a minute.
        """
        self._open.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def close(self) -> None:
        """
        Close it, where it is open.
        """
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()
