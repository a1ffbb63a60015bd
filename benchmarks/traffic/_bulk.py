"""
Clients that move much.
"""

from __future__ import annotations

import enum
import time

from benchmarks.traffic._backend import CHUNK
from benchmarks.traffic._clients import Done, connect
from benchmarks.traffic._events import READ, WRITE, Events
from benchmarks.traffic._exchange import END, announce, askFor
from benchmarks.traffic._stream import Connect, Stream


class Direction(enum.Enum):
    """
    The sending side.
    """

    TO_CLIENT = "to the client"
    TO_SERVER = "to the server"


_chunk = memoryview(bytes(CHUNK))
_scratch = memoryview(bytearray(CHUNK))


class BulkClient:
    """
    Streams of bulk, each on a connection of its own that is kept, one transfer
    after the other. Every transfer is complete or an error.

    @param size: bytes of one transfer.
    @param connect: opens a connection.
    """

    def __init__(
        self,
        events: Events,
        address: tuple[str, int],
        direction: Direction,
        streams: int,
        size: int,
        connect: Connect = connect,
    ) -> None:
        self.events = events
        self.direction = direction
        self.size = size
        self.running = False
        self.active = 0
        self.bytes = 0
        self._streams = [_Stream(self, connect(address)) for _ in range(streams)]

    def begin(self) -> None:
        """
        Transfer from now on.
        """
        self.bytes = 0
        self.running = True
        for stream in self._streams:
            if not stream.broken:
                self.active += 1
                stream.begin()

    def end(self) -> None:
        """
        Begin no transfer any more, and wait for the end of those under way.

        @raise TrafficError: they don't end.
        """
        self.running = False
        self.events.runUntil(lambda: not self.active, "the last transfers")

    def run(self, seconds: float) -> Done:
        """
        Transfer for so many seconds, or until something goes wrong.
        """
        began = time.perf_counter()
        self.begin()
        self.events.runFor(seconds)
        self.end()
        return self.done(time.perf_counter() - began)

    def done(self, seconds: float) -> Done:
        """
        Return the work since L{begin}.
        """
        return Done(self.bytes, seconds)

    def close(self) -> None:
        """
        Close the connections.
        """
        for stream in self._streams:
            stream.close()


class _Stream:
    """
    One connection.
    """

    def __init__(self, client: BulkClient, sock: Stream) -> None:
        self._client = client
        self._sock = sock
        self._unsent = b""
        self._toSend = 0
        self._awaited: int | None = None
        self._head = b""
        self.broken = False
        client.events.watch(self._sock, self._event)

    def begin(self) -> None:
        """
        Begin a transfer.
        """
        client = self._client
        self._awaited = None
        if client.direction is Direction.TO_CLIENT:
            self._unsent = askFor(client.size)
        else:
            self._unsent = announce(client.size)
            self._toSend = client.size
        client.events.change(self._sock, WRITE)

    def _event(self, event: int) -> None:
        try:
            if event & WRITE:
                self._write()
            elif self._awaited:
                self._take()
            else:
                self._readHead()
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(str(error.strerror))

    def _write(self) -> None:
        if self._unsent:
            self._unsent = self._unsent[self._sock.send(self._unsent) :]
        for _ in range(2):
            if self._unsent or not self._toSend:
                break
            self._toSend -= self._sock.send(_chunk[: self._toSend])
        if not self._unsent and not self._toSend:
            self._client.events.change(self._sock, READ)

    def _readHead(self) -> None:
        data = self._sock.recv(65536)
        if not data:
            self._fail("the connection ended before an answer")
            return
        head, end, rest = (self._head + data).partition(END)
        if not end:
            self._head = head
            return
        self._head = b""
        status, *fields = head.lower().split(b"\r\n")
        length = [field[15:] for field in fields if field.startswith(b"content-length:")]
        if b" 200 " not in status or len(length) != 1:
            self._fail(f"an answer of {head[:60]!r}")
            return
        self._awaited = int(length[0])
        self._got(len(rest))

    def _take(self) -> None:
        for _ in range(2):
            assert self._awaited
            count = self._sock.recv_into(_scratch[: min(self._awaited, CHUNK)])
            if not count:
                self._fail(f"the connection ended {self._awaited} bytes before the end")
                return
            self._got(count)
            if not self._awaited:
                return

    def _got(self, count: int) -> None:
        client = self._client
        assert self._awaited is not None
        self._awaited -= count
        if client.direction is Direction.TO_CLIENT:
            client.bytes += count
        if self._awaited < 0:
            self._fail("more bytes than were announced")
        elif not self._awaited:
            if client.direction is Direction.TO_SERVER:
                # The host answers when the last byte has arrived.
                client.bytes += client.size
            if client.running:
                self.begin()
            else:
                client.active -= 1

    def _fail(self, what: str) -> None:
        self._client.events.trouble.happened(f"bulk: {what}")
        self._client.running = False
        self._client.active -= 1
        self.close()

    def close(self) -> None:
        """
        Close.
        """
        if not self.broken:
            self.broken = True
            self._client.events.forget(self._sock)
