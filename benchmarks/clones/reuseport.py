"""
The page of L{benchmarks.peers.webapp} by a process that shares its port with others by
C{SO_REUSEPORT}: the kernel chooses one for each connection, by a hash of its addresses.

C{python -m benchmarks.clones.reuseport LISTEN}
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from twisted.internet import reactor
from twisted.web.server import Site

from benchmarks.peers.arguments import addressesOf
from benchmarks.peers.webapp import Page


def main(arguments: list[str]) -> None:
    """
    Serve until a signal ends it.
    """
    (address,) = addressesOf(arguments)
    loop: Any = reactor
    # Twisted's resources have no types yet.
    makeRoot: Any = Page
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
        sock.listen(4096)
        sock.setblocking(False)
        loop.adoptStreamPort(sock.fileno(), socket.AF_INET, Site(makeRoot()))
    loop.run()


if __name__ == "__main__":
    main(sys.argv[1:])
