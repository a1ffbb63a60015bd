"""
Applications of several kinds that are cloned: many connections that stay, several servers
in one file, TLS, WebSockets, and a job that is to run once.
"""

from __future__ import annotations

import itertools
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.health.certificates import Certificates
from tests.integration.cloned import CloningTestCase
from tests.integration.programs import Program, environment, waitUntil
from tests.integration.support import (
    PATIENCE,
    TWISTD,
    bodyOf,
    connect,
    connectUNIX,
    freePorts,
    readExactly,
)

#: What the applications have in common: a server that says which process it is of, and then
#: sends back what comes.
HEAD = """
import os
from twisted.application import service
from twisted.internet.protocol import Factory, Protocol
from txlb.cloning import CloningService, ManagerOnly, whoAmI

class Echo(Protocol):
    def connectionMade(self):
        self.transport.write(b"%-7s %7d" % (whoAmI().name.encode(), os.getpid()))

    def dataReceived(self, data):
        self.transport.write(data)

application = service.Application("several")

def clone(endpoint, factory, **more):
    cloned = CloningService(
        endpoint, factory, processes={processes}, graceTime=5.0, folder={folder!r}, **more
    )
    cloned.setServiceParent(application)
"""

#: Connections in which each clone has to be seen once.
TRIES = 50

#: Bytes that such a server says first.
NAME = 15

#: An application that exists, whose services end TLS in different ways.
TLS = """
from twisted.application import internet, strports
from twisted.internet.ssl import DefaultOpenSSLContextFactory
from txlb.cloning import cloneApplication

factory = Factory.forProtocol(Echo)
strports.service({endpoint!r}, factory).setServiceParent(application)
context = DefaultOpenSSLContextFactory({pem!r}, {pem!r})
internet.SSLServer({port2}, factory, context, interface="127.0.0.1").setServiceParent(application)
cloneApplication(
    application, processes={processes}, scheduler={scheduler!r}, graceTime=5.0, folder={folder!r}
)
"""

#: Sends back what comes, and says first which process it is of.
WEBSOCKET = """
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol

class EchoSocket(WebSocketServerProtocol):
    def onOpen(self):
        self.sendMessage(b"%s %d" % (whoAmI().name.encode(), os.getpid()))

    def onMessage(self, payload, isBinary):
        self.sendMessage(payload, isBinary)

factory = WebSocketServerFactory("ws://127.0.0.1:{port}")
factory.protocol = EchoSocket
clone({endpoint!r}, factory)
"""

#: Clients that send one message after the other until there is a file named C{enough}.
WEBSOCKET_CLIENTS = """
import os
from twisted.internet import reactor
from twisted.internet.task import LoopingCall
from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol

CLIENTS = 8
names, counts = [], [0, 0]

class Client(WebSocketClientProtocol):
    sent = None

    def onMessage(self, payload, isBinary):
        if self.sent is None:
            names.append(payload.decode())
            if len(names) == CLIENTS:
                print("open", *names, sep="; ", flush=True)
        elif payload == self.sent:
            counts[0] += 1
        else:
            counts[1] += 1
        self.sent = os.urandom(2000)
        self.sendMessage(self.sent, True)

    def onClose(self, wasClean, code, reason):
        counts[1] += 1

def look():
    print("echoed", *counts, flush=True)
    if os.path.exists("enough"):
        reactor.stop()

factory = WebSocketClientFactory("ws://127.0.0.1:{port}")
factory.protocol = Client
for _ in range(CLIENTS):
    reactor.connectTCP("127.0.0.1", {port}, factory)
LoopingCall(look).start(0.1)
reactor.run()
"""

#: Notes which process it runs in.
JOB = """
from twisted.application.internet import TimerService

def job():
    with open({notes!r}, "a") as notes:
        notes.write("%d %s\\n" % (os.getpid(), whoAmI().role.value))

ManagerOnly(TimerService(0.02, job), {folder!r}).setServiceParent(application)
clone({endpoint!r}, Factory.forProtocol(Echo))
"""


class ApplicationTestCase(CloningTestCase):
    #: The rest of the application.
    text = "clone({endpoint!r}, Factory.forProtocol(Echo))\n"

    def application(self, release: str = "first", before: str = "") -> Path:
        return self.write("app.tac", (HEAD + self.text).format(**self.words()))

    def words(self) -> dict[str, object]:
        """
        What is put into the text.
        """
        return {
            "endpoint": self.endpoint,
            "folder": self.place,
            "port": self.port,
            "processes": self.processes,
        }

    def hold(self, sock: socket.socket) -> str:
        """
        Keep a connection open until the test ends.

        @return: the name of the process that has accepted it.
        """
        self.addCleanup(sock.close)
        return readExactly(sock, NAME).decode().split()[0]


class EvenTests(ApplicationTestCase):
    processes = 4

    def test_manyConnections(self) -> None:
        """
        Of 200 connections that stay, each of four clones has 50. If the machine holds a
        clone for 50 ms, another one gets its connection, which shows if it is one of the
        last; so there are several tries. By chance one of 2,800 would be even.
        """
        self.begin()
        wanted = [50] * self.processes
        found = []
        for _ in range(5):
            socks = []
            names = []
            for _ in range(200):
                socks.append(connect(self.port))
                names.append(readExactly(socks[-1], NAME))
            found.append(sorted(Counter(names).values()))
            for sock in socks:
                sock.close()
            if found[-1] == wanted:
                break
        self.show(f"connections of each clone: {found}")
        self.assertEqual(found[-1], wanted)


class SeveralTests(ApplicationTestCase):
    text = """
clone({endpoint!r}, Factory.forProtocol(Echo))
clone({other!r}, Factory.forProtocol(Echo), scheduler="roundr")
clone({path!r}, Factory.forProtocol(Echo), maxConnections=100)
"""

    def words(self) -> dict[str, object]:
        self.path = self.place + ".sock"
        return {
            **super().words(),
            "other": f"tcp:{self.port + 1}:interface=127.0.0.1",
            "path": f"unix:{self.path}",
        }

    def served(self) -> None:
        """
        Each clone serves each of the three.
        """
        for connected in (
            lambda: connect(self.port),
            lambda: connect(self.port + 1),
            lambda: connectUNIX(self.path),
        ):
            names: set[str] = set()
            for _ in range(TRIES):
                names.add(self.hold(connected()))
                if len(names) == self.processes:
                    break
            self.assertEqual(names, {"clone0", "clone1"})

    def test_threeServers(self) -> None:
        """
        Three servers of one application have the same clones, and one manager. They all
        go on if it is killed, and if the clones are replaced.
        """
        program = self.begin()
        waitUntil(lambda: len(self.ours()) == self.all)
        self.served()
        killed = self.manager()
        os.kill(killed, signal.SIGKILL)
        waitUntil(lambda: self.manager() != killed)
        waitUntil(self.settled)
        self.served()
        os.kill(self.manager(), signal.SIGHUP)
        waitUntil(lambda: "generation 1 serves" in program.output)
        for connected in (connect(self.port), connect(self.port + 1), connectUNIX(self.path)):
            self.hold(connected)
            connected.sendall(b"it goes on")
            self.assertEqual(readExactly(connected, 10), b"it goes on")


class EndpointTests(ApplicationTestCase):
    def application(self, release: str = "first", before: str = "") -> Path:
        raise AssertionError("there is none")

    def test_twoEndpoints(self) -> None:
        """
        Endpoints of one program, cloned without a line of code, share its processes.
        """
        ports = (self.port, self.port + 1)
        listen = [f"clone:2:tcp\\:{port}\\:interface\\=127.0.0.1" for port in ports]
        # A folder by this name, so that the processes are found by it.
        pages = self.folder / "app.tac"
        pages.mkdir()
        self.write("app.tac/index.html", "the same page from each\n")
        options = [word for each in listen for word in ("--listen", each)]
        self.program = Program(
            (*TWISTD, "-n", "web", "--path", pages, *options),
            self.folder,
            environment(),
        )
        self.addCleanup(self.end)
        waitUntil(lambda: len(self.joined()) == 2)
        waitUntil(lambda: len(self.ours()) == 3)
        for port in ports:
            self.assertEqual(bodyOf(port), b"the same page from each\n")


class TLSTests(CloningTestCase):
    needed = ("curl",)

    def setUp(self) -> None:
        super().setUp()
        certificates = Certificates(self.folder / "certificates")
        self.authority = certificates.authority
        pem = certificates.server("localhost")
        self.endpoint = f"ssl:{self.port}:interface=127.0.0.1:privateKey={pem}:certKey={pem}"

    def curl(self, *options: str) -> subprocess.CompletedProcess[bytes]:
        """
        Get the page.
        """
        return subprocess.run(
            [
                *("curl", "-sS", "--max-time", str(PATIENCE), *options),
                *("--resolve", f"localhost:{self.port}:127.0.0.1"),
                f"https://localhost:{self.port}/",
            ],
            check=False,
            capture_output=True,
        )

    def test_curl(self) -> None:
        """
        Each clone has the certificate, which a client verifies. The manager is killed, and
        the next handshakes succeed.
        """
        self.begin()
        trusting = ("--cacert", str(self.authority))
        names = set()
        for _ in range(TRIES):
            done = self.curl(*trusting)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            names.add(done.stdout.split()[1])
            if len(names) == self.processes:
                break
        self.assertEqual(names, {b"clone0", b"clone1"})
        killed = self.manager()
        os.kill(killed, signal.SIGKILL)
        for _ in range(4):
            done = self.curl(*trusting)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
        waitUntil(lambda: self.manager() != killed)
        waitUntil(self.settled)
        self.assertEqual(self.curl(*trusting).returncode, 0)
        # 60: the certificate is not trusted.
        self.assertEqual(self.curl().returncode, 60)


class ExistingTLSTests(ApplicationTestCase):
    """
    C{cloneApplication} for services that end TLS: the clones do.
    """

    text = TLS
    scheduler = "leastc"

    def setUp(self) -> None:
        super().setUp()
        certificates = Certificates(self.folder / "certificates")
        self.pem = str(certificates.server("localhost"))
        self.context = ssl.create_default_context(cafile=str(certificates.authority))
        keys = f":privateKey={self.pem}:certKey={self.pem}"
        self.endpoint = self.endpoint.replace("tcp:", "ssl:") + keys
        self.second = freePorts(1)[0]

    def words(self) -> dict[str, object]:
        more = {"pem": self.pem, "port2": self.second, "scheduler": self.scheduler}
        return {**super().words(), **more}

    def secure(self, port: int) -> str:
        """
        Connect by TLS, and send something there and back.

        @return: the name of the process that has answered.
        """
        with self.context.wrap_socket(connect(port), server_hostname="localhost") as sock:
            name = readExactly(sock, NAME)
            sock.sendall(b"there and back")
            self.assertEqual(readExactly(sock, 14), b"there and back")
        return name.decode().split()[0]

    def test_served(self) -> None:
        self.begin()
        for port in (self.port, self.second):
            names: set[str] = set()
            for _ in range(TRIES):
                names.add(self.secure(port))
                if len(names) == self.processes:
                    break
            self.assertEqual(names, {"clone0", "clone1"})


class PassedTLSTests(ExistingTLSTests):
    """
    The manager passes the connections, as the scheduler looks at clients; the session is the
    clone's.
    """

    scheduler = "sticky"

    def test_served(self) -> None:
        program = self.begin()
        for port in (self.port, self.second):
            self.assertIn(self.secure(port), {"clone0", "clone1"})
        self.assertIn("the manager accepts the connections and passes them", program.output)


class WebSocketTests(ApplicationTestCase):
    text = WEBSOCKET

    def test_echo(self) -> None:
        """
        WebSockets are those of their clone: they go on, without a message lost, if the
        manager is killed and replaced.
        """
        self.begin()
        clients = Program(
            (sys.executable, self.write("clients.py", WEBSOCKET_CLIENTS.format(port=self.port))),
            self.folder,
            environment(),
        )
        self.addCleanup(clients.stop)
        names = Counter(name.split()[0] for name in clients.waitFor("open; (.*)")[1].split("; "))
        self.assertEqual(set(names), {"clone0", "clone1"})
        self.assertEqual(names.total(), 8)

        def echoed() -> tuple[int, int]:
            *_, last = (line for line in clients.output.splitlines() if line.startswith("echoed"))
            right, wrong = map(int, last.split()[1:])
            return right, wrong

        clients.waitFor("echoed [1-9]")
        killed = self.manager()
        os.kill(killed, signal.SIGKILL)
        waitUntil(lambda: self.manager() != killed)
        waitUntil(self.settled)
        before = echoed()[0]
        waitUntil(lambda: echoed()[0] > before + 100)
        self.write("enough", "")
        self.assertEqual(clients.process.wait(PATIENCE), 0)
        self.assertEqual(echoed()[1], 0)
        self.show(f"{echoed()[0]} messages, none lost")


class JobTests(ApplicationTestCase):
    text = JOB

    def words(self) -> dict[str, object]:
        return {**super().words(), "notes": str(self.folder / "notes")}

    def runs(self) -> list[tuple[int, str]]:
        """
        The process and the role of each run of the job, in order.
        """
        path = self.folder / "notes"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(pid), role) for pid, role in (line.split() for line in lines)]

    def runsIn(self, manager: int) -> bool:
        """
        Tell whether the job has run in a process, several times.
        """
        return sum(pid == manager for pid, _ in self.runs()) > 5

    def test_once(self) -> None:
        """
        A job runs in the manager alone: in one that is replaced until then, and after that
        in the next one; if it is killed, in the heir. At no time does it run in two
        processes, nor in a clone, even if it manages for a moment.
        """
        self.begin()
        first = self.manager()
        waitUntil(lambda: self.runsIn(first))
        os.kill(first, signal.SIGUSR2)
        waitUntil(lambda: self.manager() != first and not self.isOurs(first))
        waitUntil(self.settled)
        second = self.manager()
        waitUntil(lambda: self.runsIn(second))
        clones = self.joined()
        os.kill(second, signal.SIGKILL)
        waitUntil(lambda: self.manager() not in {second, *clones})
        waitUntil(self.settled)
        third = self.manager()
        waitUntil(lambda: self.runsIn(third))
        runs = self.runs()
        self.assertEqual({role for _, role in runs}, {"manager"})
        self.assertEqual(
            [pid for pid, _ in itertools.groupby(pid for pid, _ in runs)], [first, second, third]
        )
