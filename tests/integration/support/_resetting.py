"""
Hosts that answer and then reset, and clients that want the answer all the same.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.integration.programs import PATIENCE
from tests.integration.support._clients import reset

ANSWER = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000

#: Bytes of each answer.
LENGTH = len(ANSWER)

#: Seconds without a new byte after which a client is stuck.
STUCK = 0.05


def tooLarge(sock: socket.socket) -> None:
    """
    Read a part of an upload, wait until the client can't go on, answer, and close with
    the rest unread. The system sends a reset for that.
    """
    sock.recv(65536)
    queued = -1
    peeked = bytearray(1 << 20)
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        now = sock.recv_into(peeked, 0, socket.MSG_PEEK)
        if now == queued:
            break
        queued = now
        time.sleep(STUCK)
    sock.sendall(ANSWER)
    sock.close()


def tooLargeAtOnce(sock: socket.socket) -> None:
    """
    Read a part of an upload, answer, and close while more comes.
    """
    sock.recv(65536)
    sock.sendall(ANSWER)
    sock.close()


def atOnce(sock: socket.socket) -> None:
    """
    Answer and reset, right after accept.
    """
    sock.sendall(ANSWER)
    reset(sock)


def closeAtOnce(sock: socket.socket) -> None:
    """
    Answer and close, right after accept.
    """
    sock.sendall(ANSWER)
    sock.close()


def stopReading(sock: socket.socket) -> None:
    """
    Read the first bytes of many small writes, answer, and close with the others unread.
    """
    sock.recv(10)
    sock.sendall(ANSWER)
    sock.close()


class Resetting:
    """
    A host that treats each connection alike, in a thread.

    @param listener: where it listens.
    @param behaviour: what it does with each connection.
    """

    def __init__(self, listener: socket.socket, behaviour: Callable[[socket.socket], None]) -> None:
        self._listener = listener
        self._behaviour = behaviour
        listener.settimeout(0.1)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(OSError):
                sock, _ = self._listener.accept()
                sock.settimeout(PATIENCE)
                with sock, contextlib.suppress(OSError):
                    self._behaviour(sock)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join(PATIENCE)
        self._listener.close()


def upload(sock: socket.socket, count: int) -> bytes:
    """
    Send zeros and read at once, as curl does, until the answer has come.

    @param count: bytes to send at most.
    @return: what came before the end or the reset.
    """
    sock.setblocking(False)
    part = bytes(1 << 16)
    received = b""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        readable, writable, _ = select.select([sock], [sock] if count > 0 else [], [], 1.0)
        if readable:
            try:
                data = sock.recv(1 << 16)
            except ConnectionError:
                return received
            received += data
            if not data or len(received) >= LENGTH:
                return received
        elif writable:
            try:
                count -= sock.send(part[:count])
            except ConnectionError:
                count = 0
    return received


def smallWrites(sock: socket.socket, times: int) -> bytes:
    """
    Write little many times, then read.

    @return: what came before the end or the reset.
    """
    with contextlib.suppress(ConnectionError):
        for _ in range(times):
            sock.send(b"0123456789")
    return readOut(sock)


def readOut(sock: socket.socket) -> bytes:
    """
    @return: what came before the end or the reset.
    """
    received = b""
    with contextlib.suppress(ConnectionError):
        while len(received) < LENGTH:
            data = sock.recv(1 << 16)
            if not data:
                break
            received += data
    return received
