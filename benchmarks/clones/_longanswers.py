"""
Clients that take long answers, each on a connection of its own.
"""

from __future__ import annotations

import socket

from benchmarks.traffic import END, WRITE, Events, connect

#: Bytes that are read at once.
CHUNK = 1 << 18

_scratch = memoryview(bytearray(CHUNK))


class LongAnswers:
    """
    Takes long answers of a web server. One that is complete is followed by the next, on
    another connection; one that fails is not, as the run has failed then.

    @param count: how many at a time.
    @param size: bytes of each.
    @ivar complete: how many have come whole.
    """

    def __init__(self, events: Events, address: tuple[str, int], count: int, size: int) -> None:
        self.events = events
        self.address = address
        self.size = size
        self.complete = 0
        self.active = 0
        self._count = count
        self._open = False

    def begin(self) -> None:
        """
        Take answers from now on.
        """
        self._open = True
        for _ in range(self._count):
            self.come()

    def come(self) -> None:
        """
        Begin the next one, unless it is enough.
        """
        if self._open:
            self.active += 1
            _LongAnswer(self)

    def end(self) -> None:
        """
        Begin none any more, and wait for the end of those under way.

        @raise TrafficError: they don't end.
        """
        self._open = False
        self.events.runUntil(lambda: not self.active, "the last long answers")


class _LongAnswer:
    """
    One answer.
    """

    def __init__(self, owner: LongAnswers) -> None:
        self._owner = owner
        self._head = b""
        self._missing = owner.size
        try:
            self._sock: socket.socket = connect(owner.address)
        except OSError as error:
            self._failed(f"connecting: {error.strerror}")
            return
        owner.events.watch(self._sock, self._connected, WRITE)

    def _connected(self, event: int) -> None:
        size = self._owner.size
        try:
            self._sock.send(b"GET /long/%d HTTP/1.0\r\nHost: bench\r\n\r\n" % size)
        except OSError as error:
            self._fail(f"connecting: {error.strerror}")
            return
        self._owner.events.handOver(self._sock, self._readHead)

    def _readHead(self, event: int) -> None:
        read = self._read(CHUNK)
        if not read:
            return
        head, end, rest = (self._head + bytes(_scratch[:read])).partition(END)
        self._head = head
        if not end:
            return
        if b" 200 " not in head.partition(b"\r\n")[0]:
            self._fail(f"an answer of {head[:40]!r}")
            return
        self._owner.events.handOver(self._sock, self._body)
        self._took(len(rest))

    def _body(self, event: int) -> None:
        self._took(self._read(CHUNK))

    def _read(self, size: int) -> int:
        try:
            read = self._sock.recv_into(_scratch[:size])
        except BlockingIOError:
            return 0
        except OSError as error:
            self._fail(f"{self._missing} bytes before the end: {error.strerror}")
            return 0
        if not read:
            self._fail(f"the connection ended {self._missing} bytes before the end")
        return read

    def _took(self, count: int) -> None:
        self._missing -= count
        if count and self._missing < 0:
            self._fail("more bytes than were asked for")
        elif count and not self._missing:
            self._owner.complete += 1
            self._owner.active -= 1
            self._owner.events.forget(self._sock)
            self._owner.come()

    def _fail(self, what: str) -> None:
        self._owner.events.forget(self._sock)
        self._failed(what)

    def _failed(self, what: str) -> None:
        self._owner.active -= 1
        self._owner.events.trouble.happened(f"long answer: {what}")
