"""
The application of the question that txLoadBalancer was written for: a
C{twisted.web} site that makes its page anew for each request.

C{python -m benchmarks.peers.webapp LISTEN}
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from benchmarks.peers.arguments import addressesOf

#: Rows of the table on the page.
ROWS = 40

#: How the page ends.
TAIL = b"</table></body></html>\n"


def page() -> bytes:
    """
    Return a page of some 2 KiB.
    """
    rows = "".join(
        f"<tr><td>{number}</td><td>{number * number}</td><td>{number**3:,}</td></tr>\n"
        for number in range(ROWS)
    )
    return b"<html><body><table>\n" + rows.encode("ascii") + TAIL


class Page(Resource):
    """
    The page.
    """

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        """
        Make it.
        """
        return page()


def main(arguments: list[str]) -> None:
    """
    Serve until a signal ends it.
    """
    ((host, port),) = addressesOf(arguments)
    loop: Any = reactor
    # Twisted's resources have no types yet.
    makeRoot: Any = Page
    loop.listenTCP(port, Site(makeRoot()), 4096, host)
    loop.run()


if __name__ == "__main__":
    main(sys.argv[1:])
