"""
Ports for programs that benchmarks and tests start.
"""

from __future__ import annotations

import random
import socket
from collections import deque

#: Below the ports that systems give to clients (32768 and up on Linux, 49152 and up elsewhere),
#: of which benchmarks and tests use thousands: one of those may be taken before the program that
#: it is meant for has begun.
FIRST_PORT = 20_000
LAST_PORT = 32_000

#: Ports of a block.
SIZE = 40

#: Blocks that a process has at the same time, at most. Each costs it one descriptor.
MOST_BLOCKS = 12


class Ports:
    """
    Ports that no other process of benchmarks or tests gets. A process takes them by blocks: it
    binds the name of the block, which the system frees with the process, so that it is enough to
    have one descriptor for many ports.

    @param first: the first port.
    @param last: the one after the last.
    """

    def __init__(self, first: int = FIRST_PORT, last: int = LAST_PORT) -> None:
        self._blocks = range(first, last, SIZE)
        self._last = last
        self._names: deque[socket.socket] = deque()
        self._block: list[int] = []

    def take(self) -> int:
        """
        Return a port that is free on all addresses of IPv4. A process gets it again after
        C{SIZE * MOST_BLOCKS} others at the earliest.

        @raise LookupError: there is none.
        """
        while True:
            while self._block:
                port = self._block.pop()
                if _isFree(port):
                    return port
            self._block = self._another()

    def _another(self) -> list[int]:
        """
        Take a block that no process has.
        """
        if len(self._names) == MOST_BLOCKS:
            self._names.popleft().close()
        for first in random.sample(self._blocks, len(self._blocks)):
            name = socket.socket(socket.AF_UNIX)
            try:
                name.bind(f"\0txlb-ports-{first}")
            except OSError:
                name.close()
                continue
            self._names.append(name)
            ports = list(range(first, min(first + SIZE, self._last)))
            random.shuffle(ports)
            return ports
        raise LookupError(f"other processes have all ports from {self._blocks.start}")


def _isFree(port: int) -> bool:
    with socket.socket() as sock:
        try:
            # Every address at once: hosts have some of their own.
            sock.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


#: Those of this process.
ports = Ports()
