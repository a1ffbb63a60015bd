"""
Commands on the control socket, as many as fit, without waiting for their answers.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import NoReturn

from benchmarks.attacks._done import Done

#: Bytes of commands that are written at once.
WRITE = 65_536


def _box(**values: bytes) -> bytes:
    pairs = b"".join(
        struct.pack(">H", len(part)) + part
        for name, value in values.items()
        for part in (name.encode("ascii"), value)
    )
    return pairs + b"\0\0"


def pipeline(done: Done, path: str) -> NoReturn:
    """
    Ask for the status, again and again.
    """
    request = _box(_command=b"Status", _ask=b"1")
    count = WRITE // len(request)
    while True:
        try:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(60.0)
                sock.connect(path)
                sock.sendall(request * count)
                done.happened("commands", count)
                _read(done, sock, count)
        except OSError:
            done.happened("connections that were ended")
            time.sleep(0.1)


def _read(done: Done, sock: socket.socket, count: int) -> None:
    answers = 0
    rest = b""
    while answers < count:
        data = sock.recv(1 << 20)
        if not data:
            raise ConnectionError("ended")
        # The tag of an answer is short, so it is in one piece or in two.
        found = (rest + data).count(b"\x00\x07_answer")
        rest = data[-8:]
        answers += found
        done.happened("answers", found)
