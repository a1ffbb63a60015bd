"""
The far ends of a relayed connection: raw sockets that a test drives step by
step while the reactor runs.
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
    Let the reactor run until something is so.

    @param what: what is waited for, for the message.
    @raise AssertionError: it did not become so in time.
    """
    latest = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > latest:
            raise AssertionError(f"not within {PATIENCE:g} s: {what}")
        await deferLater(reactor, LOOK, lambda: None)


class Stream:
    """
    One far end of a connection.

    @ivar received: everything that has come so far.
    @ivar ended: whether the end of what the other side sends has come.
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
        Take what is there.
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
        Send what can be sent at once.

        @return: how many bytes went.
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

        @param reader: the other far end, if it is to read meanwhile.
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
        Read until as much has come as C{data} has; it must be C{data}.
        """

        def enough() -> bool:
            self.read()
            return len(self.received) >= len(data) or self.ended or self.wasReset

        await until(self._reactor, enough, f"{len(data)} bytes, have {len(self.received)}")
        if bytes(self.received) != data:
            raise AssertionError(f"{len(self.received)} bytes came, which are not those expected")

    async def expectAll(self, data: bytes) -> None:
        """
        Read until the end or a reset; what has come by then must be C{data}.
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
        Whether there is something to read.
        """
        with contextlib.suppress(BlockingIOError):
            return bool(self.sock.recv(1, socket.MSG_PEEK))
        return False

    async def expectEnd(self) -> None:
        """
        Read until the end has come.
        """

        def end() -> bool:
            self.read()
            return self.ended or self.wasReset

        await until(self._reactor, end, "the end of the stream")
        if not self.ended:
            raise AssertionError("the connection was reset where an end in good order was due")

    async def expectReset(self) -> None:
        """
        Read until the connection is reset. A UNIX socket has no reset: there
        the end, or a write that fails, will do.
        """

        def broken() -> bool:
            self.read()
            if self.sock.family == socket.AF_UNIX and self.ended:
                return True
            if self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                # So it shows behind an end that has been read.
                self.wasReset = True
            return self.wasReset

        await until(self._reactor, broken, "a reset")

    def finish(self) -> None:
        """
        Send no more.
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
        Close.
        """
        self.sock.close()


class FarHost:
    """
    A host that a test plays: a listening socket on the loopback, or in the file
    system.

    @param path: of a UNIX socket; L{None} for TCP.
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
        This host as it would be configured.
        """
        return ProxyHost(name, *self.where)

    async def accept(self) -> Stream:
        """
        The next connection that comes.
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
        Refuse who connects from now on, and keep the port from being another's.
        """
        self.sock.close()
        self.sock = socket.socket()
        self.sock.bind(self.where)

    def close(self) -> None:
        """
        Listen no more: who connects from now on is refused.
        """
        self.sock.close()
