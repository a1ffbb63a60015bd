"""
Clients that make small requests.
"""

from __future__ import annotations

import itertools
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.traffic._events import READ, WRITE, Events
from benchmarks.traffic._exchange import Exchange
from benchmarks.traffic._stream import Connect, Stream

#: Linux's IP_BIND_ADDRESS_NO_PORT: the port is chosen when the other end is
#: known, so that each pair of addresses has all ports to itself.
BIND_ADDRESS_NO_PORT = 24

#: Clients come from so many addresses in turn: the port of a connection that the
#: client ended first can't be used again for a while.
SOURCES = 100

#: Connections that are being opened at once, where many are opened.
OPENING = 200

_sources = itertools.cycle([f"127.0.0.{number}" for number in range(2, 2 + SOURCES)])


def connect(address: tuple[str, int]) -> socket.socket:
    """
    Begin to connect.

    @raise OSError: it failed at once.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.IPPROTO_IP, BIND_ADDRESS_NO_PORT, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((next(_sources), 0))
        try:
            sock.connect(address)
        except BlockingIOError:
            pass
    except OSError:
        sock.close()
        raise
    return sock


@dataclass
class Done:
    """
    What clients have done in one run.

    @ivar units: requests that were answered, or bytes that have arrived.
    @ivar seconds: how long it took, with the time until the last one was done.
    @ivar latencies: seconds from each request, the connecting included where
        there is any, to the last byte of its answer.
    """

    units: int
    seconds: float
    latencies: list[float] = field(default_factory=list)


class RequestClient:
    """
    One client with a connection of its own.

    @param answered: is called with it when an answer is complete.
    @param failed: is called with it, closed by then, when something went wrong;
        that has been counted.
    @param connect: opens its connection.
    """

    __slots__ = (
        "_answer",
        "_answered",
        "_connect",
        "_data",
        "_events",
        "_exchange",
        "_failed",
        "_sock",
        "began",
    )

    def __init__(
        self,
        events: Events,
        exchange: Exchange,
        answered: Callable[[RequestClient], object],
        failed: Callable[[RequestClient], object],
        connect: Connect = connect,
    ) -> None:
        self._events = events
        self._exchange = exchange
        self._answer = exchange.answer
        self._answered = answered
        self._failed = failed
        self._connect = connect
        self._data = b""
        self._sock: Stream
        self.began = 0.0

    def open(self, address: tuple[str, int]) -> None:
        """
        Connect, and make the first request.
        """
        self.began = time.perf_counter()
        try:
            self._sock = self._connect(address)
        except OSError as error:
            self._events.trouble.happened(f"client: connecting: {error.strerror}")
            self._failed(self)
            return
        try:
            self._sock.send(self._exchange.request)
        except (BlockingIOError, BrokenPipeError):
            # Not connected yet: on the loopback interface that is seldom.
            self._events.watch(self._sock, self._connected, WRITE)
        except OSError as error:
            self._events.watch(self._sock, self._event)
            self._fail(f"connecting: {error.strerror}")
        else:
            self._events.watch(self._sock, self._event)

    def _connected(self, event: int) -> None:
        try:
            self._sock.send(self._exchange.request)
        except BlockingIOError:
            # A TLS handshake goes on when there is something to read.
            self._events.change(self._sock, READ)
            return
        except OSError as error:
            self._fail(f"connecting: {error.strerror}")
            return
        self._events.handOver(self._sock, self._event)

    def ask(self) -> None:
        """
        Make another request.
        """
        self.began = time.perf_counter()
        try:
            self._sock.send(self._exchange.request)
        except OSError as error:
            self._fail(f"asking: {error.strerror}")

    def _event(self, event: int) -> None:
        try:
            data = self._sock.recv(65536)
        except BlockingIOError:
            # That were bytes of TLS itself.
            return
        except OSError as error:
            self._fail(f"reading: {error.strerror}")
            return
        if data == self._answer and not self._data:
            self._answered(self)
        elif data:
            self._part(data)
        else:
            self._fail("the connection ended before the answer was complete")

    def _part(self, data: bytes) -> None:
        self._data += data
        try:
            complete = self._exchange.isComplete(self._data)
        except ValueError as error:
            self._fail(f"{error}: {self._data[:40]!r}")
            return
        if complete:
            self._data = b""
            self._answered(self)

    def _fail(self, what: str) -> None:
        self._events.trouble.happened(f"client: {what}")
        self.close()
        self._failed(self)

    def close(self) -> None:
        """
        End the connection in order.
        """
        self._events.forget(self._sock)


class Clients:
    """
    Clients that make small requests, each its next when it has its answer.

    @param address: of the proxy.
    @param atOnce: how many requests are under way.
    @param connections: how many connections are kept open, and used in turn: as
        many as requests or more. 0 for a new connection for each request.
    @param connect: opens a connection.
    """

    def __init__(
        self,
        events: Events,
        address: tuple[str, int],
        exchange: Exchange,
        atOnce: int,
        connections: int = 0,
        connect: Connect = connect,
    ) -> None:
        self._events = events
        self._address = address
        self._exchange = exchange
        self._atOnce = atOnce
        self._free: deque[RequestClient] = deque()
        self._connect = connect
        self._kept = bool(connections)
        self._running = False
        self._active = 0
        self._completed = 0
        self._latencies: list[float] = []
        while len(self._free) < connections and not events.trouble:
            self._openSome(min(OPENING, connections - len(self._free)))

    def _openSome(self, count: int) -> None:
        for _ in range(count):
            self._open()
        self._events.runUntil(lambda: not self._active, "answers on connections just opened")

    def _open(self) -> None:
        self._active += 1
        answered = self._keptAnswered if self._kept else self._freshAnswered
        client = RequestClient(self._events, self._exchange, answered, self._failed, self._connect)
        client.open(self._address)

    def _keptAnswered(self, client: RequestClient) -> None:
        self._completed += 1
        self._latencies.append(time.perf_counter() - client.began)
        free = self._free
        free.append(client)
        if self._running:
            free.popleft().ask()
        else:
            self._active -= 1

    def _freshAnswered(self, client: RequestClient) -> None:
        self._completed += 1
        self._latencies.append(time.perf_counter() - client.began)
        client.close()
        self._active -= 1
        if self._running:
            self._open()

    def _failed(self, client: RequestClient) -> None:
        self._active -= 1
        # What is left to be said after an error is not worth saying.
        self._running = False

    def begin(self) -> None:
        """
        Make requests from now on.
        """
        self._completed = 0
        self._latencies = []
        if self._events.trouble:
            return
        self._running = True
        for _ in range(self._atOnce):
            if self._kept:
                self._active += 1
                self._free.popleft().ask()
            else:
                self._open()

    def end(self) -> None:
        """
        Make no more, and wait for the answers that are still to come.

        @raise TrafficError: they don't come.
        """
        self._running = False
        self._events.runUntil(lambda: not self._active, "the last answers")

    def run(self, seconds: float) -> Done:
        """
        Make requests for so many seconds, or until something goes wrong.
        """
        began = time.perf_counter()
        self.begin()
        self._events.runFor(seconds)
        self.end()
        return self.done(time.perf_counter() - began)

    def done(self, seconds: float) -> Done:
        """
        Return the work since L{begin}.
        """
        return Done(self._completed, seconds, self._latencies)

    def close(self) -> None:
        """
        Close the connections that were kept.
        """
        while self._free:
            self._free.popleft().close()
