"""
Many clients at once, each in a thread of its own.
"""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.integration.programs import PATIENCE
from tests.integration.support._clients import LOOPBACK, connect, readAll, request


class Load:
    """
    Clients that make one request after the other, each on a connection of its
    own, from when they are entered as a context until they are left. A client
    that is refused has had no connection, and connects anew.

    @param port: tells where to connect now.
    @param clients: how many there are at a time.

    @ivar answers: how often each body came.
    @ivar refused: how many were refused when they connected.
    @ivar failures: what happened to those who were connected and had no whole
        answer.
    """

    def __init__(self, port: Callable[[], int], clients: int, path: str = "/") -> None:
        self.answers: Counter[bytes] = Counter()
        self.refused = 0
        self.failures: list[str] = []
        self._port = port
        self._path = path
        self._lock = threading.Lock()
        self._enough = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

    @property
    def done(self) -> int:
        """
        How many requests have been answered.
        """
        with self._lock:
            return self.answers.total()

    def _run(self) -> None:
        while not self._enough.is_set():
            port = self._port()
            try:
                sock = connect(port)
            except ConnectionRefusedError:
                with self._lock:
                    self.refused += 1
                self._enough.wait(0.01)
                continue
            try:
                with sock:
                    body = request(sock, self._path)
            except OSError as error:
                with self._lock:
                    self.failures.append(f"port {port}: {error!r}")
            else:
                with self._lock:
                    self.answers[body] += 1

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._enough.set()
        ends = time.monotonic() + PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))


class Downloads:
    """
    Clients that read one long answer each.

    @ivar digests: the SHA-256 of each body that has come to its end.
    @ivar failures: what happened to the others.
    """

    def __init__(self, port: int, path: str, clients: int) -> None:
        self.digests: list[str] = []
        self.failures: list[str] = []
        self._threads = []
        for _ in range(clients):
            sock = connect(port)
            sock.sendall(f"GET {path} HTTP/1.0\r\nHost: {LOOPBACK}\r\n\r\n".encode("ascii"))
            thread = threading.Thread(target=self._read, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _read(self, sock: socket.socket) -> None:
        try:
            with sock:
                body = readAll(sock).partition(b"\r\n\r\n")[2]
        except OSError as error:
            self.failures.append(repr(error))
        else:
            self.digests.append(hashlib.sha256(body).hexdigest())

    @property
    def running(self) -> int:
        """
        How many have not ended.
        """
        return sum(thread.is_alive() for thread in self._threads)

    def wait(self) -> None:
        """
        Wait until all have ended.
        """
        ends = time.monotonic() + PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))
