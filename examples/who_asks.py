"""
A small web application behind a balancer that tells each client who it is. The
connections come from the balancer, so it asks that for the client behind each.

    python who_asks.py 7001 run/control

It is all that an application has to know of the control socket: AMP and one command.
"""

import sys
from typing import Any

from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, UNIXClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import react
from twisted.protocols import amp
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site


class UnknownPort(Exception):
    """
    The balancer has no such connection: the client has come by another way.
    """


class GetClientAddress(amp.Command):
    """
    Who is behind a connection. C{host} and C{port} are where it comes from, the others
    where it was accepted.
    """

    arguments = [  # noqa: RUF012 - as AMP has it
        (b"host", amp.String()),
        (b"port", amp.Integer()),
        (b"serverHost", amp.String(optional=True)),
        (b"serverPort", amp.Integer(optional=True)),
    ]
    response = [(b"host", amp.String()), (b"port", amp.Integer())]  # noqa: RUF012 - likewise
    errors = {UnknownPort: b"UNKNOWN_PORT"}  # noqa: RUF012 - likewise


class Balancer:
    """
    Asks the balancer. The connection to it is kept, and made anew where it is lost.
    """

    def __init__(self, reactor: Any, path: str) -> None:
        endpoint = UNIXClientEndpoint(reactor, path)
        self._service = ClientService(endpoint, Factory.forProtocol(amp.AMP), clock=reactor)
        self._service.startService()

    async def clientOf(self, request: Request) -> tuple[str, int]:
        """
        The address and the port of the client who has sent a request.
        """
        near, far = request.getHost(), request.getClientAddress()
        connection: Any = await self._service.whenConnected(failAfterFailures=1)
        try:
            found = await connection.callRemote(
                GetClientAddress,
                host=far.host.encode(),
                port=far.port,
                serverHost=near.host.encode(),
                serverPort=near.port,
            )
        except UnknownPort:
            return far.host, far.port
        return found["host"].decode(), found["port"]


class Who(Resource):
    """
    Every page says who has asked for it.
    """

    isLeaf = True

    def __init__(self, balancer: Balancer) -> None:
        super().__init__()
        self._balancer = balancer

    def render_GET(self, request: Request) -> int:
        """
        Answer a request.
        """
        Deferred.fromCoroutine(self._answer(request)).addErrback(request.processingFailed)
        return NOT_DONE_YET

    async def _answer(self, request: Request) -> None:
        host, port = await self._balancer.clientOf(request)
        page = f"you are {host} port {port}\n".encode()
        request.setHeader("content-length", str(len(page)))
        request.write(page)
        request.finish()


async def main(reactor: Any, port: str, control: str) -> None:
    """
    Serve until the process is told to end.
    """
    endpoint = TCP4ServerEndpoint(reactor, int(port), backlog=1024, interface="127.0.0.1")
    await endpoint.listen(Site(Who(Balancer(reactor, control))))
    print(f"serving on port {port}", flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
