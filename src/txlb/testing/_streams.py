"""
The far ends of a relayed connection: raw sockets that a test drives step by step while
the reactor runs.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.task import deferLater

from txlb.model import ProxyHost

#: Seconds that any single step may take before a test gives up on it.
PATIENCE = 20.0

#: Seconds between two looks.
LOOK = 0.002


async def until(reactor: Any, condition: Callable[[], bool], what: str) -> None:
    """
    Run the reactor until a condition is true.

    @param what: the condition in words, for the message.
    @raise AssertionError: it did not become true in time.
    """
    latest = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > latest:
            raise AssertionError(f"not within {PATIENCE:g} s: {what}")
        await deferLater(reactor, LOOK, lambda: None)


class Stream:
    """
    One far end of a connection.

    @ivar received: all bytes that it has received.
    @ivar ended: whether the other side has finished sending.
    @ivar wasReset: whether the connection was reset.
    """

    def __init__(self, reactor: Any, sock: socket.socket) -> None:
        self._reactor = reactor
        self.sock = sock
        self.received = bytearray()
        self.ended = False
        self.wasReset = False
        sock.setblocking(False)

    def read(self) -> None:
        """
        Read the bytes that have arrived.
        """
        with contextlib.suppress(BlockingIOError):
            while not self.ended and not self.wasReset:
                try:
                    data = self.sock.recv(1 << 18)
                except (ConnectionResetError, BrokenPipeError):
                    self.wasReset = True
                    return
                self.received += data
                self.ended = not data

    def write(self, data: bytes) -> int:
        """
        Send as many bytes as the system takes at once.

        @return: the number of bytes.
        """
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0
        except (ConnectionResetError, BrokenPipeError):
            self.wasReset = True
            return 0

    async def writeAll(self, data: bytes, reader: Stream | None = None) -> None:
        """
        Send everything.

        @param reader: the other far end, if it has to read meanwhile.
        """
        view = memoryview(data)
        sent = 0

        def some() -> bool:
            nonlocal sent
            if reader is not None:
                reader.read()
            sent += self.write(view[sent : sent + (1 << 18)])  # type: ignore[arg-type]  # send takes any buffer
            return sent == len(view) or self.wasReset

        await until(self._reactor, some, f"{len(data)} bytes written")

    async def expect(self, data: bytes) -> None:
        """
        Read as many bytes as C{data} has; they must be C{data}.
        """

        def enough() -> bool:
            self.read()
            return len(self.received) >= len(data) or self.ended or self.wasReset

        await until(self._reactor, enough, f"{len(data)} bytes, have {len(self.received)}")
        if bytes(self.received) != data:
            raise AssertionError(f"{len(self.received)} bytes came, which are not those expected")

    async def expectAll(self, data: bytes) -> None:
        """
        Read until the end or a reset; all received bytes must be C{data}.
        """

        def over() -> bool:
            self.read()
            return self.ended or self.wasReset

        await until(self._reactor, over, "the end of the stream, or a reset")
        if bytes(self.received) != data:
            raise AssertionError(f"{len(self.received)} bytes came, which are not those expected")

    @property
    def hasSomething(self) -> bool:
        """
        Whether bytes have arrived and are unread.
        """
        with contextlib.suppress(BlockingIOError):
            return bool(self.sock.recv(1, socket.MSG_PEEK))
        return False

    async def expectEnd(self) -> None:
        """
        Read until the other side has finished.
        """

        def end() -> bool:
            self.read()
            return self.ended or self.wasReset

        await until(self._reactor, end, "the end of the stream")
        if not self.ended:
            raise AssertionError("the connection was reset where an end in good order was due")

    async def expectReset(self) -> None:
        """
        Read until the connection is reset. A UNIX socket has no reset: there the end,
        or a write that fails, counts.
        """

        def broken() -> bool:
            self.read()
            if self.sock.family == socket.AF_UNIX and self.ended:
                return True
            if self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                # This shows a reset behind an end that was read.
                self.wasReset = True
            return self.wasReset

        await until(self._reactor, broken, "a reset")

    def finish(self) -> None:
        """
        Finish sending.
        """
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """
        Reset the connection.
        """
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        """
        Close the socket.
        """
        self.sock.close()


class FarHost:
    """
    A host that a test plays: a listening socket on the loopback, or in the file system.

    @param path: the path of a UNIX socket; L{None} for TCP.
    @param backlog: connections that may wait to be accepted.
    """

    def __init__(self, reactor: Any, path: str | None = None, backlog: int = 16) -> None:
        self._reactor = reactor
        if path is None:
            self.sock = socket.socket()
            self.sock.bind(("127.0.0.1", 0))
            self.where = ("127.0.0.1", self.sock.getsockname()[1])
        else:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.bind(path)
            self.where = (f"unix:{path}", 0)
        self.sock.listen(backlog)
        self.sock.setblocking(False)

    def configured(self, name: str) -> ProxyHost:
        """
        Return this host as a configured one.
        """
        return ProxyHost(name, *self.where)

    async def accept(self) -> Stream:
        """
        Wait for the next connection.
        """
        accepted: list[socket.socket] = []

        def one() -> bool:
            with contextlib.suppress(BlockingIOError):
                accepted.append(self.sock.accept()[0])
            return bool(accepted)

        await until(self._reactor, one, "a connection to the host")
        return Stream(self._reactor, accepted[0])

    def refuse(self) -> None:
        """
        Refuse new connections, and keep the port from other programs.
        """
        self.sock.close()
        self.sock = socket.socket()
        self.sock.bind(self.where)

    def close(self) -> None:
        """
        Stop listening: new connections are refused.
        """
        self.sock.close()
