"""
Clients and hosts that are nothing but sockets, so that a test can do to a
connection whatever it wants.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from types import TracebackType
from typing import Self

from tests.integration.programs import PATIENCE

LOOPBACK = "127.0.0.1"


def connect(port: int, host: str = LOOPBACK, receiveBuffer: int | None = None) -> socket.socket:
    """
    Connect. Whatever is done with the socket afterwards has a time limit.

    @param receiveBuffer: bytes of the system's buffer, where it matters.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receiveBuffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receiveBuffer)
        sock.connect((host, port))
    except BaseException:
        sock.close()
        raise
    return sock


def connectUNIX(path: str) -> socket.socket:
    """
    Connect to a socket in the file system.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(PATIENCE)
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock


def readAll(sock: socket.socket) -> bytes:
    """
    Read until the peer has finished sending.
    """
    return b"".join(iter(lambda: sock.recv(1 << 16), b""))


def readExactly(sock: socket.socket, count: int) -> bytes:
    """
    Read so many bytes.

    @raise EOFError: there are not so many.
    """
    parts = []
    while count:
        part = sock.recv(min(count, 1 << 16))
        if not part:
            raise EOFError(f"{count} bytes are missing")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def reset(sock: socket.socket) -> None:
    """
    Close with a RST.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def isClosedByPeer(sock: socket.socket) -> bool:
    """
    Whether the peer has closed or reset an idle connection by now.
    """
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    if not poll.poll(0):
        return False
    with contextlib.suppress(ConnectionError):
        return sock.recv(1, socket.MSG_PEEK) == b""
    return True


def request(sock: socket.socket, path: str = "/") -> bytes:
    """
    Make a request on a connection that is kept alive.

    @return: the body.
    @raise OSError: the answer is not a whole one with status 200.
    """
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: txlb\r\n\r\n".encode("ascii"))
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = sock.recv(1 << 16)
        if not part:
            raise OSError(f"the connection ended after {answer!r}")
        answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *fields = head.split(b"\r\n")
    if b" 200 " not in status:
        raise OSError(f"the answer is {head!r}")
    lengths = [field for field in fields if field.lower().startswith(b"content-length:")]
    length = int(lengths[0].partition(b":")[2])
    try:
        return body + readExactly(sock, length - len(body))
    except EOFError as error:
        raise OSError(f"the answer was cut: {error}") from error


def bodyOf(port: int, path: str = "/", host: str = LOOPBACK) -> bytes:
    """
    Make a request on a connection of its own.

    @raise OSError: the answer is not a whole one with status 200.
    """
    with connect(port, host) as sock:
        return request(sock, path)


def source(sock: socket.socket) -> str:
    """
    A client's own address, as C{host:port}.
    """
    return ":".join(map(str, sock.getsockname()[:2]))


class RawHost:
    """
    A host that does only what the test does with its sockets.

    @ivar port: where it listens on the loopback interface.
    """

    def __init__(self, host: str = LOOPBACK, port: int = 0, backlog: int = 128) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.settimeout(PATIENCE)
        self.socket.bind((host, port))
        self.socket.listen(backlog)
        self.port: int = self.socket.getsockname()[1]

    def accept(self) -> socket.socket:
        """
        The next connection.
        """
        sock, _ = self.socket.accept()
        sock.settimeout(PATIENCE)
        return sock

    def close(self) -> None:
        """
        Listen no more.
        """
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
