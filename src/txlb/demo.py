"""
Something to try: three small web hosts, balanced, with a manhole.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TextIO, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from txlb._reactor import pickedReactor
from txlb.admin import AdminUser, hashPassword, manholeService, newPassword
from txlb.application import Daemon, LoadBalancedService
from txlb.errors import ListenError
from txlb.manager import proxyManagerFactory
from txlb.model import ProxyGroup, ProxyHost, ProxyService, TCPAddress
from txlb.proxy import bindSockets
from txlb.schedulers import leastc

LOOPBACK = "127.0.0.1"
WEB_PORT = 8080
SSH_PORT = 2222

#: How many ports are tried where the first one is taken.
PORTS = 100

HOSTS = ("host1", "host2", "host3")

Made = TypeVar("Made")


class Demo(Daemon):
    """
    The demo: C{twistd -n txlb --demo}.

    @param stateDirectory: where the ssh host key is kept; L{None} for the usual
        place.
    @param output: where it says what to try.
    @raise ListenError: not one of a hundred ports is free.
    """

    def __init__(
        self,
        stateDirectory: str | None = None,
        output: TextIO | None = None,
        reactor: Any = None,
    ) -> None:
        self._output = output if output is not None else sys.stdout
        self.password = newPassword()
        hosts = [DemoHost(name, reactor) for name in HOSTS]
        balancer = nextFree(WEB_PORT, lambda port: _balancer(port, hosts, reactor))
        users = [AdminUser("admin", hashPassword(self.password))]

        def openManhole(port: int) -> Any:
            address = TCPAddress(LOOPBACK, port)
            manhole = manholeService(
                balancer, address, users, stateDirectory=stateDirectory, reactor=reactor
            )
            manhole.bind()
            manhole.loadHostKey()
            return manhole

        self.manhole = nextFree(SSH_PORT, openManhole)
        super().__init__(balancer, hosts, [self.manhole], reactor)

    def startService(self) -> None:
        """
        Start everything, and say what to try.
        """
        super().startService()
        self._output.write(self.explanation())
        self._output.flush()

    def explanation(self) -> str:
        """
        What there is to try.
        """
        web = self.balancer.getProxyService("web").addresses[0]
        ssh = self.manhole.addresses[0]
        assert isinstance(web, TCPAddress)  # noqa: S101 - it was asked for by port
        return f"""
txlb balances {len(HOSTS)} web hosts on http://{web}/

  1. See the hosts take turns:
       for i in 1 2 3 4 5 6; do curl -s http://{web}/; done
  2. Look inside, with the password {self.password}
       ssh -p {ssh.port} admin@{ssh.host}
       >>> status()
  3. Change it while it runs, at that prompt:
       >>> manager.delHost('web', 'demo', 'host2')
       >>> services.switchPort('web', {web.port + 1000})

Ctrl-C ends it.
"""


def _balancer(port: int, hosts: Sequence[DemoHost], reactor: Any) -> LoadBalancedService:
    group = ProxyGroup("demo", leastc, True, [host.proxyHost for host in hosts])
    manager = proxyManagerFactory([ProxyService("web", [(LOOPBACK, port)], [group])])
    balancer = LoadBalancedService(manager, reactor)
    balancer.bind()
    return balancer


def nextFree(first: int, make: Callable[[int], Made]) -> Made:
    """
    Make something that listens, on the first port that is free.

    @param first: the port to try first.
    @param make: is called with a port; raises L{ListenError} where it is taken.
    @raise ListenError: none of a hundred is free.
    """
    for port in range(first, first + PORTS - 1):
        try:
            return make(port)
        except ListenError:
            continue
    return make(first + PORTS - 1)


class DemoHost(Service):
    """
    A web host that says its name.
    """

    def __init__(self, name: str, reactor: Any = None) -> None:
        self._reactor = reactor
        self._ports: list[IListeningPort] = []
        self._sockets = bindSockets(TCPAddress(LOOPBACK, 0))
        port = self._sockets[0].getsockname()[1]
        self.proxyHost = ProxyHost(name, LOOPBACK, port)
        self.setName(name)

    def startService(self) -> None:
        """
        Serve.
        """
        super().startService()
        self._reactor = pickedReactor(self._reactor)
        site = Site(Greeting(self.proxyHost.name))
        site.noisy = False
        while self._sockets:
            with self._sockets.pop() as sock:
                port = self._reactor.adoptStreamPort(sock.fileno(), sock.family, site)
            self._ports.append(port)

    def stopService(self) -> Deferred[Any]:
        """
        @return: fires when it serves no more.
        """
        super().stopService()
        while self._sockets:
            self._sockets.pop().close()
        ports, self._ports = self._ports, []
        return gatherResults([maybeDeferred(port.stopListening) for port in ports])


class Greeting(Resource):
    """
    Says which host it is.
    """

    isLeaf = True

    def __init__(self, name: str) -> None:
        super().__init__()
        self._text = f"Hello from {name}\n".encode()

    def render_GET(self, request: Request) -> bytes:
        """
        The name, as text.
        """
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        return self._text
