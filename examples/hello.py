"""
A small web application that answers with the port of its copy.

    python hello.py 7001
"""

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.task import react
from twisted.web.resource import Resource
from twisted.web.server import Request, Site


class Hello(Resource):
    """
    A resource with the same text for every page.
    """

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        """
        Answer a request.
        """
        return f"hello from port {request.getHost().port}\n".encode()


async def main(reactor: Any, port: str) -> None:
    """
    Serve until the process is stopped.
    """
    endpoint = TCP4ServerEndpoint(reactor, int(port), interface="127.0.0.1")
    await endpoint.listen(Site(Hello()))
    print(f"serving on port {port}", flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
