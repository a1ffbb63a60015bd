"""
Ports for programs to listen on.
"""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterator

#: Below the ports that systems give to clients (32768 and up on Linux, 49152 and
#: up elsewhere), of which these tests and their neighbours use thousands: one of
#: those may be taken before the program that it is meant for has begun.
FIRST, LAST = 20_000, 32_000


def freePorts(count: int) -> list[int]:
    """
    Different ports of the loopback interface that nobody has now.

    @raise AssertionError: there are not so many.
    """
    found: list[int] = []
    for port in random.sample(range(FIRST, LAST), 1000):
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssertionError(f"there are no {count} free ports")


@contextlib.contextmanager
def silentPort() -> Iterator[int]:
    """
    A port where nothing answers, as at a host that is dead: a connection to it is
    neither accepted nor refused. The kernel drops what comes to a backlog that is full.
    """
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        for _ in range(8):
            filling = stack.enter_context(socket.socket())
            filling.settimeout(0.3)
            try:
                filling.connect(("127.0.0.1", port))
            except TimeoutError:
                yield port
                return
    raise AssertionError("the backlog never gets full")
