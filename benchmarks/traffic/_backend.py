"""
The hosts behind the proxies.
"""

from __future__ import annotations

import functools
import re
import socket
from collections.abc import Callable, Iterable

from benchmarks.traffic._events import READ, WRITE, Events
from benchmarks.traffic._exchange import ANSWER, END, REQUEST, bulkHead
from benchmarks.traffic._stream import Stream

#: Bytes that are sent, and taken, at once.
CHUNK = 262144

_REQUEST_LINE = re.compile(
    rb"(GET /small|GET /bulk/(\d{1,12})|PUT /sink/(\d{1,12})) HTTP/1\.[01]\r\n"
)

_chunk = memoryview(bytes(CHUNK))
_scratch = memoryview(bytearray(CHUNK))


class Backend:
    """
    The hosts of one proxy: a few listening sockets, and the connections that
    came in on them.

    @param addresses: where to listen.
    @param wrap: makes what is read and written of an accepted socket.
    @ivar open: how many connections there are.
    @ivar taken: bytes of bulk that clients have sent so far.
    """

    def __init__(
        self,
        events: Events,
        addresses: Iterable[tuple[str, int]],
        wrap: Callable[[socket.socket], Stream] | None = None,
    ) -> None:
        self.events = events
        self.addresses = list(addresses)
        self._wrap = wrap
        self.open = 0
        self.taken = 0
        self._connections: set[BackendConnection] = set()
        self._listeners = []
        for address in self.addresses:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Accepted sockets inherit it.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listener.bind(address)
            listener.listen(4096)
            listener.setblocking(False)
            self._listeners.append(listener)
            events.watch(listener, functools.partial(self._accept, listener))

    def _accept(self, listener: socket.socket, event: int) -> None:
        for _ in range(64):
            try:
                sock = listener.accept()[0]
            except BlockingIOError:
                return
            sock.setblocking(False)
            self.open += 1
            stream = sock if self._wrap is None else self._wrap(sock)
            self._connections.add(BackendConnection(self, stream))

    def left(self, connection: BackendConnection) -> None:
        """
        Handle the end of a connection.
        """
        self.open -= 1
        self._connections.discard(connection)

    def whenQuiet(self) -> None:
        """
        Wait until there is no connection.

        @raise TrafficError: some stay open.
        """
        self.events.runUntil(lambda: not self.open, "connections at the hosts to end")

    def close(self) -> None:
        """
        Close everything.
        """
        for listener in self._listeners:
            self.events.forget(listener)
        for connection in tuple(self._connections):
            connection.close()


class BackendConnection:
    """
    One connection: answers what it is asked until the other side ends it.
    """

    __slots__ = ("_awaited", "_backend", "_data", "_recv", "_rest", "_send", "_sock", "_unsent")

    def __init__(self, backend: Backend, sock: Stream) -> None:
        self._backend = backend
        self._sock = sock
        self._recv = sock.recv
        self._send = sock.send
        self._data = b""
        self._unsent = b""
        self._rest = 0
        self._awaited = 0
        backend.events.watch(sock, self._event)

    def _event(self, event: int) -> None:
        try:
            if event & WRITE:
                self._write()
            elif self._awaited:
                self._sink()
            else:
                self._read()
        except BlockingIOError:
            return
        except OSError as error:
            self._failed(f"host: {error.strerror}")

    def _read(self) -> None:
        data = self._recv(65536)
        if data == REQUEST and not self._data:
            if self._send(ANSWER) != len(ANSWER):
                self._failed("host: an answer did not fit")
        elif data:
            self._slowly(data)
        else:
            if self._data or self._rest or self._unsent:
                self._backend.events.trouble.happened("host: ended in the middle")
            self.close()

    def _slowly(self, data: bytes) -> None:
        """
        Something other than a small request in one piece.
        """
        self._data += data
        head, end, rest = self._data.partition(END)
        if not end:
            if len(head) > 65536:
                self._failed("host: a head without end")
            return
        found = _REQUEST_LINE.match(self._data)
        self._data = b""
        if found is None:
            self._failed(f"host: asked for {head[:40]!r}")
        elif found[3]:
            self._awaited = int(found[3])
            self._got(len(rest))
        elif rest:
            self._failed("host: more than one request at a time")
        elif found[2]:
            self._rest = int(found[2])
            self._unsent = bulkHead(self._rest)
            self._write()
        else:
            self._send(ANSWER)

    def _write(self) -> None:
        """
        Send what was asked for.
        """
        if self._unsent:
            self._unsent = self._unsent[self._send(self._unsent) :]
        for _ in range(2):
            if not self._rest or self._unsent:
                break
            try:
                self._rest -= self._send(_chunk[: self._rest])
            except BlockingIOError:
                break
        more = bool(self._rest or self._unsent)
        self._backend.events.change(self._sock, WRITE if more else READ)

    def _sink(self) -> None:
        for _ in range(2):
            size = min(self._awaited, CHUNK)
            count = self._sock.recv_into(_scratch[:size])
            if not count:
                self._failed("host: ended in the middle of what it sends")
                return
            self._got(count)
            if not self._awaited:
                return

    def _got(self, count: int) -> None:
        self._awaited -= count
        self._backend.taken += count
        if self._awaited < 0:
            self._failed("host: got more than was announced")
        elif not self._awaited:
            self._send(ANSWER)

    def _failed(self, what: str) -> None:
        self._backend.events.trouble.happened(what)
        self.close()

    def close(self) -> None:
        """
        Close.
        """
        if self._sock.fileno() >= 0:
            self._backend.events.forget(self._sock)
            self._backend.left(self)
