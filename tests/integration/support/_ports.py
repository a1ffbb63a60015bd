"""
Ports for programs to listen on.
"""

from __future__ import annotations

import contextlib
import random
import socket
from collections import deque
from collections.abc import Iterator

#: Below the ports that systems give to clients (32768 and up on Linux, 49152 and
#: up elsewhere), of which these tests and their neighbours use thousands: one of
#: those may be taken before the program that it is meant for has begun.
FIRST, LAST = 20_000, 32_000


#: Ports that are kept from other processes of tests, at most: those that were given last.
MOST_KEPT = 200

#: A socket for each of them.
_kept: deque[socket.socket] = deque()


def freePorts(count: int) -> list[int]:
    """
    Different ports of the loopback interface that nobody has now. No other process of tests gets
    them, before the program that is to have them is started.

    @raise AssertionError: there are not so many.
    """
    found: list[int] = []
    for port in random.sample(range(FIRST, LAST), 1000):
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            if not _keep(port):
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssertionError(f"there are no {count} free ports")


def _keep(port: int) -> bool:
    """
    Keep a port from other processes of tests, by a name that the system frees with this process.

    @return: whether no other one keeps it.
    """
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0txlb-test-port-{port}")
    except OSError:
        name.close()
        return False
    _kept.append(name)
    if len(_kept) > MOST_KEPT:
        _kept.popleft().close()
    return True


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
