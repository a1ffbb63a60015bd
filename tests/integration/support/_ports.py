"""
Ports for programs to listen on.
"""

from __future__ import annotations

import random
import socket

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
