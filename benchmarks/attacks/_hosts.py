"""
Hosts that answer checks and probes without end.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

from benchmarks.attacks._done import Done

#: The most that a host sends in one answer, in bytes.
MOST = 256 << 20


def _serve(done: Done, address: tuple[str, int], parts: Iterator[bytes], what: str) -> None:
    listener = socket.create_server(address, backlog=64)
    piece = next(parts)
    again = next(parts)

    def answer(sock: socket.socket) -> None:
        with sock:
            sock.settimeout(20.0)
            try:
                sock.recv(65536)
                sock.sendall(piece)
                for _ in range(MOST // len(again)):
                    sock.sendall(again)
                    done.happened("bytes", len(again))
            except OSError:
                # Asked enough.
                pass
            done.happened(what)

    while True:
        sock = listener.accept()[0]
        threading.Thread(target=answer, args=(sock,), daemon=True).start()


def chunks(done: Done, host: str, port: str) -> None:
    """
    Return a body in chunks of one byte.
    """
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    _serve(done, (host, int(port)), iter([head, b"1\r\nx\r\n" * 200]), "answers")


def headers(done: Done, host: str, port: str) -> None:
    """
    Serve an endless header.
    """
    head = b"HTTP/1.1 200 OK\r\n"
    _serve(done, (host, int(port)), iter([head, b"X-More: and more\r\n" * 500]), "answers")
