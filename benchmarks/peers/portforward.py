"""
C{twisted.protocols.portforward} as a program: it forwards to one host.

C{python -m benchmarks.peers.portforward LISTEN HOST [HOST ..]}; hosts beyond the
first one are not used.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import reactor
from twisted.protocols.portforward import ProxyFactory

from benchmarks.peers.arguments import addressesOf


def main(arguments: list[str]) -> None:
    """
    Forward until a signal ends it.
    """
    listen, host, *_ = addressesOf(arguments)
    loop: Any = reactor
    loop.listenTCP(listen[1], ProxyFactory(*host), 4096, listen[0])
    loop.run()


if __name__ == "__main__":
    main(sys.argv[1:])
