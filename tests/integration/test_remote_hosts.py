"""
Hosts beside the clones of an application that clones itself: its manager relays their
connections.
"""

from __future__ import annotations

import os
import signal
import socket
from collections import Counter
from pathlib import Path

from tests.integration.programs import Program, environment, waitUntil
from tests.integration.support import TWISTD, connect, freePorts, request
from tests.integration.test_cloning_control import ControlCase

#: The application: C{hosts} has the hosts beside its clones.
TAC = """
import os
from twisted.application import service
from twisted.web import resource, server

from txlb.cloning import CloningService, whoAmI
from txlb.model import HostMapper, ProxyHost

class Page(resource.Resource):
    isLeaf = True

    def render_GET(self, request):
        return whoAmI().name.encode()

application = service.Application("web")
site = server.Site(Page(), logPath=os.devnull)
CloningService(
    {endpoint!r}, site, processes=2, scheduler="roundr", graceTime=20.0, folder={folder!r},
    hosts=[{hosts}],
).setServiceParent(application)
"""

#: A host on another machine: it answers each line with one of its own.
REMOTE = """
from twisted.application import service, strports
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver

class Answer(LineReceiver):
    def lineReceived(self, line):
        if line.startswith(b"GET"):
            self.transport.write(b"HTTP/1.0 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nremote")
            self.transport.loseConnection()
        else:
            self.sendLine(b"remote")

application = service.Application("remote")
factory = Factory.forProtocol(Answer)
factory.noisy = False
strports.service({endpoint!r}, factory).setServiceParent(application)
"""


class RemoteHostsCase(ControlCase):
    host = 'ProxyHost.at("far", "127.0.0.1:{remote}", 2)'

    def setUp(self) -> None:
        super().setUp()
        (self.remote,) = freePorts(1)

    def application(self, release: str = "first", before: str = "") -> Path:
        hosts = self.host.format(remote=self.remote)
        text = TAC.format(endpoint=self.endpoint, folder=self.place, hosts=hosts)
        return self.write("app.tac", text)

    def startRemote(self) -> Program:
        tac = self.write(
            "remote.tac", REMOTE.format(endpoint=f"tcp:{self.remote}:interface=127.0.0.1")
        )
        program = Program((*TWISTD, "-n", "--pidfile=", "-y", tac), self.folder, environment())
        self.addCleanup(program.stop)
        waitUntil(lambda: "starting on" in program.output)
        return program

    def ask(self) -> bytes:
        return request(connect(self.port)).rpartition(b"\n")[2]

    def served(self, count: int = 8) -> Counter[bytes]:
        return Counter(self.ask() for _ in range(count))

    def relays(self) -> bool:
        """
        Tell whether the host beside the clones gets connections now.
        """
        return b"remote" in self.served()

    def line(self, client: socket.socket) -> bytes:
        client.sendall(b"x\r\n")
        return client.recv(100)

    def remoteClient(self) -> socket.socket:
        """
        Connect until the host beside the clones has the connection.
        """
        clients = [connect(self.port) for _ in range(4)]
        for each in clients:
            self.addCleanup(each.close)
        waitUntil(lambda: sum(self.active().values()) == 4)
        # twisted.web answers such a line with an error, and closes.
        found = [each for each in clients if self.line(each) == b"remote\r\n"]
        self.assertEqual(len(found), 2)
        found[1].close()
        waitUntil(lambda: self.active()["far"] == 1)
        return found[0]

    def active(self) -> dict[str, int]:
        [service] = self.status()["services"]
        [group] = service["groups"]
        return {host["name"]: host["active"] for host in group["hosts"]}


class RemoteHostsTests(RemoteHostsCase):
    def test_weights(self) -> None:
        """
        The scheduler chooses among the clones and the host, by their weights.
        """
        self.startRemote()
        self.begin()
        waitUntil(self.relays)
        # Each round has four.
        waitUntil(lambda: self.served() == {b"remote": 4, b"clone0": 2, b"clone1": 2})

    def test_kill(self) -> None:
        """
        If the manager is killed, the next one relays.
        """
        self.startRemote()
        self.begin()
        waitUntil(self.relays)
        relayed = self.remoteClient()
        before = self.manager()
        os.kill(before, signal.SIGKILL)
        # Its connections were the manager's own.
        self.assertEqual(relayed.recv(100), b"")
        waitUntil(lambda: self.manager() != before)
        waitUntil(self.relays)
        self.assertEqual(set(self.served()), {b"remote", b"clone0", b"clone1"})

    def test_drain(self) -> None:
        """
        A host that is drained gets nothing, keeps its connections, and stays drained with
        the next manager.
        """
        self.startRemote()
        self.begin()
        waitUntil(self.relays)
        relayed = self.remoteClient()
        self.assertIn("ready -> drain", self.txlb("drain", f"{self.group}/far"))
        self.assertEqual(set(self.served()), {b"clone0", b"clone1"})
        self.assertEqual(self.line(relayed), b"remote\r\n")
        before = self.manager()
        os.kill(before, signal.SIGKILL)
        waitUntil(lambda: self.manager() != before)
        self.settle()
        self.assertEqual(set(self.served()), {b"clone0", b"clone1"})
        self.assertIn("drain -> ready", self.txlb("ready", f"{self.group}/far"))
        waitUntil(self.relays)
        self.assertIn("is no clone", self.txlb("remove", f"{self.group}/far", status=1))

    def test_upgrade(self) -> None:
        """
        A manager that hands over keeps its connections until they end, and the new one
        relays meanwhile.
        """
        self.startRemote()
        self.begin()
        waitUntil(self.relays)
        relayed = self.remoteClient()
        before = self.manager()
        self.txlb("upgrade")
        waitUntil(lambda: self.manager() != before)
        waitUntil(self.relays)
        self.assertTrue(self.isOurs(before))
        self.assertEqual(self.line(relayed), b"remote\r\n")
        relayed.close()
        waitUntil(lambda: not self.isOurs(before))

    def test_stop(self) -> None:
        """
        SIGTERM lets the connections end that are relayed.
        """
        self.startRemote()
        self.begin()
        waitUntil(self.relays)
        relayed = self.remoteClient()
        manager = self.manager()
        os.kill(manager, signal.SIGTERM)
        waitUntil(lambda: len(self.ours()) == 1)
        self.assertEqual(self.line(relayed), b"remote\r\n")
        relayed.close()
        waitUntil(lambda: not self.ours())


class CheckedHostTests(RemoteHostsCase):
    host = 'HostMapper(proxy="127.0.0.1:1", host="far", address="127.0.0.1:{remote}", check="tcp")'

    def test_check(self) -> None:
        """
        A host that is down gets nothing, and gets connections when it is there.
        """
        self.begin()

        def state() -> object:
            [service] = self.status()["services"]
            [group] = service["groups"]
            return next(each["state"] for each in group["hosts"] if each["name"] == "far")

        waitUntil(lambda: state() == "down")
        self.assertEqual(set(self.served()), {b"clone0", b"clone1"})
        self.startRemote()
        waitUntil(lambda: state() == "up")
        waitUntil(self.relays)
