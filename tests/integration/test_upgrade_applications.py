"""
Upgrades of applications that embed a balancer, and of balancers with clones.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from functools import partial
from pathlib import Path

from tests.integration.programs import Program, environment, waitUntil
from tests.integration.support import (
    TWISTD,
    UpgradeTestCase,
    connect,
    freePorts,
    isGone,
    readExactly,
)

#: An application that embeds a balancer.
TAC = """
from twisted.application import service, strports
from twisted.web import resource, server
from txlb.admin import controlService, webService
from txlb.application.service import LoadBalancedService
from txlb.manager import proxyManagerFactory
from txlb.model import HostMapper

application = service.Application("app")
balancer = LoadBalancedService(proxyManagerFactory([
    HostMapper(
        proxyName="web", proxy="127.0.0.1:{port}", groupName="hosts", host="host",
        address="127.0.0.1:{host}",
    ),
]))
controlService(balancer, "{control}").setServiceParent(application)
balancer.setServiceParent(application)
webService(balancer, "127.0.0.1:{web}").setServiceParent(application)
{more}
"""

#: The same without twistd.
PROGRAM = (
    TAC
    + """
import os
from twisted.internet import reactor

with open("{pidFile}", "w") as file:
    file.write(str(os.getpid()))
services = service.IService(application)
services.privilegedStartService()
services.startService()
reactor.addSystemEventTrigger("before", "shutdown", services.stopService)
reactor.run()
"""
)

#: A server of the application's own.
SITE = """
site = server.Site(resource.Resource())
strports.service("tcp:{other}:interface=127.0.0.1", site).setServiceParent(application)
"""


class EmbeddedTests(UpgradeTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.port, self.hostPort, self.web = freePorts(3)
        self.host(self.hostPort)

    def application(self, more: str = "", text: str = TAC) -> Path:
        """
        Write the application.
        """
        return self.write(
            "app.tac",
            text.format(
                port=self.port,
                host=self.hostPort,
                control=self.control,
                web=self.web,
                pidFile=self.pidFile,
                more=more,
            ),
        )

    def begin(self, *words: str, ends: bool = False) -> None:
        """
        Start it.

        @param ends: whether a daemon stays of it.
        """
        self.program = Program(words, self.folder, environment())
        self.addCleanup(self.stopBalancer)
        waitUntil(lambda: self.isServing or self.program.process.poll() not in {None, 0})
        self.assertIn(self.program.process.poll(), {None, 0 if ends else None}, self.program.output)

    def twistd(self, *options: str) -> None:
        """
        Start it under twistd.
        """
        given = (*TWISTD[:-1], f"--pidfile={self.pidFile}", *(options or ("-n",)))
        self.begin(*given, "-y", "app.tac", ends=bool(options))

    def isServedWithout(self, pid: int) -> bool:
        """
        Tell whether another process serves.
        """
        return self.pid not in {0, pid}

    def test_tac(self) -> None:
        """
        The balancer of an application is upgraded, with its doors. What was changed live stays.
        """
        self.application()
        self.twistd()
        first = self.pid
        clients = self.clients(self.port, downloads=2, uploads=2, short=3, idle=20)
        self.assertEqual(self.txlb("weight", "web/hosts/host", "7").returncode, 0)
        self.assertIn(f"127.0.0.1:{self.web} moves", self.txlb("upgrade", "--check").stdout)
        for _ in range(2):
            self.assertGreaterEqual(self.upgrade(), 20)
        self.assertNotEqual(self.pid, first)
        self.assertIn('"weight": 7', self.txlb("status", "--json").stdout)
        self.assertEqual(clients.seen()["wrong"], [])
        with connect(self.web) as open_:
            open_.sendall(b"GET /v1/health HTTP/1.0\r\n\r\n")
            self.assertEqual(readExactly(open_, 5), b"HTTP/")
        self.stopBalancer()
        self.assertFalse(self.pidFile.exists())
        self.assertFalse(self.control.exists())

    def test_daemon(self) -> None:
        """
        SIGUSR2 upgrades a daemon. Both processes append to one log.
        """
        self.application()
        log = self.folder / "twistd.log"
        self.twistd(f"--logfile={log}")
        clients = self.clients(self.port, idle=3)
        for _ in range(2):
            before = self.pid
            os.kill(before, signal.SIGUSR2)
            waitUntil(partial(self.isServedWithout, before))
            self.assertTrue(isGone(before))
        self.assertEqual(clients.seen()["wrong"], [])
        text = log.read_text(encoding="utf-8")
        self.assertEqual(text.count("3 connections have moved"), 2, text)
        self.assertEqual(text.count("Server Shut Down"), 2, text)
        self.assertNotIn("Traceback", text)

    def test_program(self) -> None:
        """
        A program that runs the reactor itself is started by its own command line.
        """
        self.application(text=PROGRAM)
        self.begin(sys.executable, "app.tac")
        clients = self.clients(self.port, idle=3)
        self.assertEqual(self.upgrade(), 3)
        self.assertEqual(clients.seen()["wrong"], [])

    def test_refused(self) -> None:
        """
        If the new application has a fault, or it listens itself, the process goes on, and the
        answer has the reason.
        """
        (other,) = freePorts(1)
        self.application()
        # The log has the traceback of the one that can't listen.
        self.twistd("-n", f"--logfile={self.folder}/log")
        first = self.pid
        clients = self.clients(self.port, idle=3)
        self.application("raise RuntimeError('a fault of the application')")
        done = self.txlb("upgrade")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"this process goes on: .*a fault of the application")
        self.application(SITE.format(other=self.hostPort))
        done = self.txlb("upgrade")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"this process goes on: .*{self.hostPort}")
        self.assertEqual(self.pid, first)
        self.application(SITE.format(other=other))
        self.upgrade()
        done = self.txlb("upgrade")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"itself listens on 127.0.0.1:{other}", done.stderr)
        self.assertEqual(self.txlb("upgrade", "--check").returncode, 1)
        self.assertEqual(clients.seen()["wrong"], [])


#: An application whose connections send back what they get.
ECHO = """
import os
from twisted.application import service, strports
from twisted.internet import protocol

class Echo(protocol.Protocol):
    def dataReceived(self, data):
        self.transport.write(data if data != b"pid" else b"%d" % os.getpid())

application = service.Application("echo")
strports.service("tcp:1", protocol.Factory.forProtocol(Echo)).setServiceParent(application)
"""

CLONES = """
<service name="web">
  <listen ip="127.0.0.1:{port}"/>
  <group name="app" enable="yes"><clones tac="echo.tac" processes="{processes}" graceTime="5"/>
  </group>
</service>
<service name="plain">
  <listen ip="127.0.0.1:{plain}"/>
  <group name="hosts" enable="yes"><host name="host" ip="127.0.0.1:{host}"/></group>
</service>
"""

#: The same without clones.
WITHOUT = CLONES.replace(
    '<clones tac="echo.tac" processes="{processes}" graceTime="5"/>',
    '<host name="host" ip="127.0.0.1:{host}"/>',
)


class ClonesTests(UpgradeTestCase):
    """
    A balancer that manages clones.
    """

    def setUp(self) -> None:
        super().setUp()
        self.port, self.plain, self.hostPort = freePorts(3)
        self.host(self.hostPort)
        self.write("echo.tac", ECHO)

    def config(self, text: str = CLONES, processes: int = 2) -> str:
        return text.format(
            port=self.port, plain=self.plain, host=self.hostPort, processes=processes
        )

    def clones(self) -> dict[str, int]:
        """
        Return the processes of clones that serve, by their names.
        """
        rows = json.loads(self.txlb("status", "--json").stdout).get("processes", [])
        return {row["name"]: row["pid"] for row in rows if row["role"] == "clone"}

    def hasClones(self, count: int) -> bool:
        """
        Tell whether so many clones serve.
        """
        return len(self.clones()) == count

    def echoes(self, sock: socket.socket) -> None:
        sock.sendall(b"ping")
        self.assertEqual(readExactly(sock, 4), b"ping")

    def test_clonesStay(self) -> None:
        """
        The new process manages the clones that are there. Their connections go on, as those of
        hosts do, and new ones are served meanwhile.
        """
        self.balancer(self.config())
        waitUntil(partial(self.hasClones, 2))
        clones = self.clones()
        clients = self.clients(self.plain, downloads=1, short=1, idle=5)
        with connect(self.port) as open_:
            self.echoes(open_)
            for _ in range(2):
                self.assertGreaterEqual(self.upgrade(), 5)
                waitUntil(partial(self.hasClones, 2))
                self.assertEqual(self.clones(), clones)
                self.echoes(open_)
                with connect(self.port) as other:
                    self.echoes(other)
        self.assertEqual(clients.seen()["wrong"], [])
        self.show(self.program.output)
        self.stopBalancer()
        for pid in clones.values():
            waitUntil(partial(isGone, pid))
