"""
A small web application behind a balancer that answers each client with its address. Its
connections come from the balancer, so it asks the balancer for the client of each.

    python who_asks.py 7001 run/control

An application needs no more of the control socket than this: AMP and one command.
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
    The command for the client behind a connection. C{host} and C{port} are the
    connection's peer, the others its own address.
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
    A client of the control socket. It keeps its connection, and makes a new one if that
    is lost.
    """

    def __init__(self, reactor: Any, path: str) -> None:
        endpoint = UNIXClientEndpoint(reactor, path)
        self._service = ClientService(endpoint, Factory.forProtocol(amp.AMP), clock=reactor)
        self._service.startService()

    async def clientOf(self, request: Request) -> tuple[str, int]:
        """
        Return the address and the port of a request's client.
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
    A resource that answers with the client's address.
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
    Serve until the process is stopped.
    """
    endpoint = TCP4ServerEndpoint(reactor, int(port), backlog=1024, interface="127.0.0.1")
    await endpoint.listen(Site(Who(Balancer(reactor, control))))
    print(f"serving on port {port}", flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
