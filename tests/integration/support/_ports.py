"""
Ports for programs to listen on.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from benchmarks.ports import ports


def freePorts(count: int) -> list[int]:
    """
    Different ports that nobody has now. No other process of tests gets them, before the program
    that is to have them is started.
    """
    return [ports.take() for _ in range(count)]


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
