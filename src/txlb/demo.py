"""
The demo: three small web hosts, balanced, with a web console, a manhole and a control socket; or
a web site that is cloned.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, TextIO, TypeVar

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from txlb._reactor import pickedReactor
from txlb.admin import (
    AdminUser,
    ControlService,
    controlService,
    hashPassword,
    manholeService,
    newPassword,
    webService,
)
from txlb.admin import stateDirectory as findStateDirectory
from txlb.admin._statepath import demoSocket
from txlb.admin.control._folder import MAX_PATH
from txlb.application import Daemon, LoadBalancedService, NoUpgrades
from txlb.cli._command import Failed
from txlb.cli._where import findSocket
from txlb.cloning import CloningService, whoAmI
from txlb.errors import ListenError
from txlb.manager import proxyManagerFactory
from txlb.model import ProxyGroup, ProxyHost, ProxyService, TCPAddress
from txlb.proxy import bindSockets
from txlb.schedulers import leastc

LOOPBACK = "127.0.0.1"
WEB_PORT = 8080
SSH_PORT = 2222
CONSOLE_PORT = 8090

#: Seconds between two updates of the console.
REFRESH = 1

_NO_UPGRADES = (
    "the demo has its hosts in its own process, and they would end with it: start it again "
    "instead, or upgrade a balancer that was started with twistd txlb -c FILE"
)

#: The number of ports that are tried if the first one is taken.
PORTS = 100

HOSTS = ("host1", "host2", "host3")

#: The clones of the demo of cloning, and the variable by which they know its port.
CLONES = 4
CLONES_PORT = "TXLB_DEMO_PORT"

Made = TypeVar("Made")


class Demo(Daemon):
    """
    The demo: C{twistd -n txlb --demo}.

    @param stateDirectory: the folder of the ssh host key and the control socket;
        L{None} for the usual one.
    @param output: the stream for the explanation.
    @raise ListenError: none of a hundred ports is free.
    """

    def __init__(
        self,
        stateDirectory: str | None = None,
        output: TextIO | None = None,
        reactor: Any = None,
    ) -> None:
        # None if standard output is closed.
        self._output: TextIO | None = output if output is not None else sys.stdout
        self.password = newPassword()
        self.consolePassword = newPassword()
        hosts = [DemoHost(name, reactor) for name in HOSTS]
        balancer = nextFree(WEB_PORT, lambda port: _balancer(port, hosts, reactor))
        users = [
            AdminUser("admin", hashPassword(self.password)),
            AdminUser("demo", hashPassword(self.consolePassword)),
        ]

        def openManhole(port: int) -> Any:
            address = TCPAddress(LOOPBACK, port)
            manhole = manholeService(
                balancer, address, users, stateDirectory=stateDirectory, reactor=reactor
            )
            manhole.bind()
            manhole.loadHostKey()
            return manhole

        def openConsole(port: int) -> Any:
            address = TCPAddress(LOOPBACK, port)
            console = webService(balancer, address, users, refresh=REFRESH, reactor=reactor)
            console.bind()
            return console

        self.manhole = nextFree(SSH_PORT, openManhole)
        self.console = nextFree(CONSOLE_PORT, openConsole)
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self.control = self._openControl(findStateDirectory(stateDirectory), balancer, reactor)
        doors = [self.console, self.manhole, self.control]
        balancer.upgrader = NoUpgrades(_NO_UPGRADES)
        super().__init__(balancer, hosts, doors, reactor)

    def _openControl(
        self, state: str, balancer: LoadBalancedService, reactor: Any
    ) -> ControlService:
        if len(os.fsencode(demoSocket(state, PORTS))) > MAX_PATH:
            # The kernel allows no longer path.
            self._scratch = tempfile.TemporaryDirectory(prefix="txlb")
            state = self._scratch.name

        def opened(number: int) -> ControlService:
            control = controlService(balancer, demoSocket(state, number), reactor=reactor)
            control.bind()
            return control

        return nextFree(1, opened)

    def startService(self) -> None:
        """
        Start everything, and print commands to try.
        """
        super().startService()
        # The demo runs even if the explanation can't be written.
        with contextlib.suppress(OSError, ValueError):
            if self._output is not None:
                self._output.write(self.explanation())
                self._output.flush()

    def stopService(self) -> Deferred[None]:
        """
        Stop everything, and remove the temporary folder of the control socket. See
        L{Daemon.stopService}.
        """
        return super().stopService().addBoth(self._clean)

    def _clean(self, result: Any) -> Any:
        scratch, self._scratch = self._scratch, None
        if scratch is not None:
            scratch.cleanup()
        return result

    def explanation(self) -> str:
        """
        Return the text with commands to try.
        """
        web = self.balancer.getProxyService("web").addresses[0]
        ssh, console = self.manhole.addresses[0], self.console.addresses[0]
        assert isinstance(web, TCPAddress)  # noqa: S101 - it was asked for by port
        program, socket = shlex.quote(_program()), self._socketOption()
        return f"""
txlb balances {len(HOSTS)} web hosts on http://{web}/

  1. See the hosts take turns:
       for i in 1 2 3 4 5 6; do curl -s http://{web}/; done
  2. Look at it from a shell, and watch it:
       {program} status{socket}
       {program} top{socket}
  3. Look at it in a browser, and change it there: as the user demo, password {self.consolePassword}
       http://{console}/
  4. Look inside, with the password {self.password}
       ssh -p {ssh.port} admin@{ssh.host}
       >>> status()
  5. Change it while it runs, at that prompt:
       >>> manager.delHost('web', 'demo', 'host2')
       >>> services.switchPort('web', {web.port + 1000})

Ctrl-C ends it.
"""

    def _socketOption(self) -> str:
        """
        Return the option that tells C{txlb} the control socket, empty if C{txlb} finds
        it by itself.
        """
        # The user's shell need not have the variables that a supervisor sets for this
        # process.
        environ = {key: each for key, each in os.environ.items() if key != "STATE_DIRECTORY"}
        try:
            found = findSocket(Namespace(socket=None, config=None), environ)
        except Failed:
            found = ""
        return "" if found == self.control.path else f" -s {shlex.quote(self.control.path)}"


def _program() -> str:
    """
    Return the C{txlb} command of the environment that this process runs in, as a
    shell finds it.
    """
    beside = os.path.join(os.path.dirname(sys.executable), "txlb")
    return "txlb" if shutil.which("txlb") == beside or not os.path.exists(beside) else beside


def _balancer(port: int, hosts: Sequence[DemoHost], reactor: Any) -> LoadBalancedService:
    group = ProxyGroup("demo", leastc, True, [host.proxyHost for host in hosts])
    manager = proxyManagerFactory([ProxyService("web", [(LOOPBACK, port)], [group])])
    balancer = LoadBalancedService(manager, reactor)
    balancer.bind()
    return balancer


def nextFree(first: int, make: Callable[[int], Made]) -> Made:
    """
    Make something that listens, at the first number that is free.

    @param first: the number to try first, such as a port.
    @param make: is called with a number; raises L{ListenError} if it is taken.
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
    A web host that answers with its name.
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
        Stop listening.

        @return: fires when the host has stopped.
        """
        super().stopService()
        while self._sockets:
            self._sockets.pop().close()
        ports, self._ports = self._ports, []
        return gatherResults([maybeDeferred(port.stopListening) for port in ports])


class Greeting(Resource):
    """
    A page with the name of its host.
    """

    isLeaf = True

    def __init__(self, name: str) -> None:
        super().__init__()
        self._text = f"Hello from {name}\n".encode()

    def render_GET(self, request: Request) -> bytes:
        """
        Return the name, as text.
        """
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        return self._text


class ClonesDemo(MultiService):
    """
    The demo of cloning: C{twistd -n txlb --demo --clones}. Each of its processes makes one:
    the first one finds a port and prints commands to try.

    @param stateDirectory: the folder of the processes is in it; L{None} for the usual one.
    @param output: the stream for the explanation.
    @param environ: what this process inherited, and what those that it starts inherit.
    @raise ListenError: none of a hundred ports is free.
    """

    def __init__(
        self,
        stateDirectory: str | None = None,
        output: TextIO | None = None,
        environ: MutableMapping[str, str] = os.environ,
    ) -> None:
        super().__init__()
        # None if standard output is closed.
        self._output: TextIO | None = output if output is not None else sys.stdout
        self._isFirst = CLONES_PORT not in environ
        if self._isFirst:
            environ[CLONES_PORT] = str(nextFree(WEB_PORT, _freePort))
        self.port = int(environ[CLONES_PORT])
        state = findStateDirectory(stateDirectory)
        self.folder = os.path.join(state, "demo", f"clones-{self.port}")
        site = Site(CloneGreeting())
        site.noisy = False
        CloningService(
            f"tcp:{self.port}:interface={LOOPBACK}", site, CLONES, folder=self.folder
        ).setServiceParent(self)

    def startService(self) -> None:
        """
        Start, and print commands to try if this is the first process.
        """
        super().startService()
        # The demo runs even if the explanation can't be written.
        with contextlib.suppress(OSError, ValueError):
            if self._isFirst and self._output is not None:
                self._output.write(self.explanation())
                self._output.flush()

    def explanation(self) -> str:
        """
        Return the text with commands to try.
        """
        web = f"http://{LOOPBACK}:{self.port}/"
        control = os.path.join(self.folder, "control")
        status = f"{shlex.quote(_program())} status -s {shlex.quote(control)}"
        manager = f"$(cat {shlex.quote(os.path.join(self.folder, 'pid'))})"
        return f"""
txlb runs a web site in {CLONES} processes on {web}

  1. See them take turns:
       for i in 1 2 3 4 5 6 7 8; do curl -s {web}; done
  2. Look at them from a shell:
       {status}
  3. Replace them one by one by new ones, as for a new release:
       kill -HUP {manager}
  4. Kill the process that manages them. Another one takes its place, and clients notice
     nothing. The site goes on in the background, as this program is gone:
       kill -9 {manager}
  5. End it:
       kill {manager}

Ctrl-C ends it as well, before step 4.
"""


class CloneGreeting(Resource):
    """
    A page with the name of the process that made it.
    """

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        """
        Return the name, as text.
        """
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        return f"Hello from {whoAmI().name}, process {os.getpid()}\n".encode()


def _freePort(port: int) -> int:
    for sock in bindSockets(TCPAddress(LOOPBACK, port)):
        sock.close()
    return port
