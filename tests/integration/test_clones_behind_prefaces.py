"""
Clones of a balancer whose listeners read what clients send first: the balancer accepts, reads,
chooses, and passes the connection with what it has read.
"""

from __future__ import annotations

import os
import signal
import socket
import ssl
from collections import Counter
from pathlib import Path

from tests.certificates import Authority, put
from tests.integration.programs import PATIENCE, waitUntil
from tests.integration.support import connect
from tests.integration.test_clones_in_files import ClonesInFilesTestCase

#: An application that says from where it is asked, and sends back what comes.
TAC = """
import os
from twisted.application import service, strports
from twisted.internet.protocol import Factory, Protocol
from txlb.cloning import whoAmI

class Echo(Protocol):
    def connectionMade(self):
        peer, host = self.transport.getPeer(), self.transport.getHost()
        text = f"{{whoAmI().name}} {{os.getpid()}} {{peer.host}}:{{peer.port}} {{host.host}}\\n"
        self.transport.write(text.encode())

    def dataReceived(self, data):
        self.transport.write(data)

application = service.Application("echo")
strports.service({endpoint!r}, Factory.forProtocol(Echo)).setServiceParent(application)
"""

FILE = """
<config>
  <control socket="{folder}/control"/>
  <service name="web">
    {listen}
    <group name="app" scheduler="{scheduler}" enable="true">
      <clones tac="app.tac" processes="2" graceTime="5"/>{more}
    </group>
  </service>
  {others}
</config>
"""


class PrefacesTestCase(ClonesInFilesTestCase):
    endpoint = "tcp:1"
    listen = ""
    others = ""

    def application(self, release: str = "first", before: str = "") -> Path:
        return self.write("app.tac", TAC.format(endpoint=self.endpoint))

    def configure(self, processes: int = 2) -> Path:
        text = FILE.format(
            folder=self.place,
            scheduler=self.scheduler,
            listen=self.listen.format(port=self.port),
            others=self.others.format(port=self.port),
            more=self.hosts,
        )
        return self.write("c.xml", text)


def line(sock: socket.socket) -> list[str]:
    """
    Read a line, and split it.
    """
    data = b""
    while not data.endswith(b"\n"):
        read = sock.recv(1)
        if not read:
            break
        data += read
    return data.decode().split()


class ProxyHeaderTests(PrefacesTestCase):
    listen = '<listen ip="127.0.0.1:{port}" proxyProtocol="v1" trusted="127.0.0.0/8"/>'

    def talk(self, port: int, more: bytes = b"hello") -> tuple[list[str], bytes]:
        """
        Connect as a proxy does, for a client with this port, and say something at once.
        """
        header = b"PROXY TCP4 192.0.2.7 198.51.100.9 %d 80\r\n" % port
        with connect(self.port) as sock:
            sock.settimeout(PATIENCE)
            sock.sendall(header + more)
            said = line(sock)
            sock.sendall(b" and more")
            data = b""
            while len(data) < len(more) + 9:
                data += sock.recv(100)
        return said, data

    def test_passed(self) -> None:
        """
        The application gets the client's bytes behind the header, and sees the addresses that
        the header has. Connections are even.
        """
        self.begin()
        names: Counter[str] = Counter()
        for port in range(1000, 1020):
            (name, _, peer, host), data = self.talk(port)
            self.assertEqual((peer, host), (f"192.0.2.7:{port}", "198.51.100.9"))
            self.assertEqual(data, b"hello and more")
            names[name] += 1
        self.assertEqual({*names}, {"clone0", "clone1"})
        said = self.txlb("status")
        self.assertIn("served by passing", said)
        self.assertIn("reads what clients send first", said)

    def test_noHeader(self) -> None:
        """
        A client without a header gets nothing, and no clone sees it.
        """
        self.begin()
        with connect(self.port) as sock:
            sock.settimeout(PATIENCE)
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            self.assertEqual(sock.recv(100), b"")

    def test_balancerKilled(self) -> None:
        """
        If the balancer is killed, connections of clones go on. Clients wait until the next one
        reads their headers; no clone takes a connection without.
        """
        self.begin()
        with connect(self.port) as kept:
            kept.settimeout(PATIENCE)
            kept.sendall(b"PROXY TCP4 192.0.2.7 198.51.100.9 99 80\r\n")
            self.assertEqual(line(kept)[2], "192.0.2.7:99")
            os.kill(self.program.process.pid, signal.SIGKILL)
            said, data = self.talk(7)
            self.assertEqual((said[2], data), ("192.0.2.7:7", b"hello and more"))
            kept.sendall(b"still here")
            self.assertEqual(kept.recv(100), b"still here")
        waitUntil(self.reunited)


class HostBesideTests(PrefacesTestCase):
    """
    A host beside the clones, whose connections are relayed.
    """

    listen = ProxyHeaderTests.listen
    scheduler = "roundr"

    def setUp(self) -> None:
        super().setUp()
        self.host = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.host.close)
        self.hosts = f'<host name="east" ip="127.0.0.1:{self.host.getsockname()[1]}"/>'

    def test_passed(self) -> None:
        """
        The host gets the bytes behind the header, in its turn.
        """
        self.begin()
        self.host.settimeout(PATIENCE)
        clients = []
        for port in range(1000, 1003):
            sock = connect(self.port)
            self.addCleanup(sock.close)
            sock.settimeout(PATIENCE)
            sock.sendall(b"PROXY TCP4 192.0.2.7 198.51.100.9 %d 80\r\nhello" % port)
            clients.append(sock)
        taken, _ = self.host.accept()
        with taken:
            taken.settimeout(PATIENCE)
            self.assertEqual(taken.recv(5), b"hello")
            taken.sendall(b"host\n")
            said = sorted(line(each)[0] for each in clients)
        self.assertEqual(said, ["clone0", "clone1", "host"])


class ServerNameTests(PrefacesTestCase):
    listen = '<listen ip="127.0.0.1:{port}" serverNames="a.example"/>'
    others = """
  <service name="other">
    <listen ip="127.0.0.1:{port}" serverNames="b.example"/>
    <group name="far" scheduler="roundr" enable="true"><host name="h" ip="127.0.0.1:1"/></group>
  </service>"""

    def setUp(self) -> None:
        super().setUp()
        path = put(str(self.folder), "a.pem", *Authority().certify(["a.example"]))
        self.endpoint = f"ssl:1:privateKey={path}:certKey={path}"

    def test_passed(self) -> None:
        """
        The balancer chooses the service by the name that the client asks for. The application
        in the clone ends TLS: the ClientHello comes to it whole.
        """
        self.begin()
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        for _ in range(4):
            with (
                connect(self.port) as plain,
                context.wrap_socket(plain, server_hostname="a.example") as sock,
            ):
                sock.settimeout(PATIENCE)
                data = b""
                while not data.endswith(b"\n"):
                    data += sock.recv(100)
                self.assertRegex(data, rb"^clone[01] ")
                sock.sendall(b"hello")
                self.assertEqual(sock.recv(100), b"hello")
