"""
What happens to bytes, ends and resets on their way, on real sockets.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from pathlib import Path
from statistics import median

from tests.integration.support import (
    PATIENCE,
    IntegrationTestCase,
    Program,
    RawHost,
    Usage,
    connect,
    cpuSeconds,
    freePorts,
    manyDescriptors,
    readAll,
    readExactly,
    request,
    reset,
    residentBytes,
    server,
    sites,
    waitUntil,
)

MIB = 1 << 20
AFTER_HALF_CLOSE = 100_000
LONG_REQUEST = b"GET /long HTTP/1.0\r\n\r\n"

CONFIG = """
<config>
  <service name="raw" maxConnections="20000">
    <listen ip="127.0.0.1:{port}"/>
    <group name="hosts" enable="yes"><host name="host" ip="127.0.0.1:{host}"/></group>
  </service>
</config>
"""


class RelayTests(IntegrationTestCase):
    """
    One client, one host, and the balancer between them.
    """

    def setUp(self) -> None:
        super().setUp()
        self.port = freePorts(1)[0]
        self.host = RawHost()
        self.addCleanup(self.host.close)

    def startBalancer(self) -> Program:
        """
        A balancer in front of the host.
        """
        return self.startTxlb(CONFIG.format(port=self.port, host=self.host.port))

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """
        A client and a host that are connected through the balancer.
        """
        client = connect(self.port)
        self.addCleanup(client.close)
        host = self.host.accept()
        self.addCleanup(host.close)
        return client, host

    def _earlyClient(self, end: str) -> None:
        """
        A client sends and ends while the balancer is held, so that it has ended
        before its host has been connected to.
        """
        balancer = self.startBalancer()
        sent = os.urandom(300_000)
        for round_ in range(3):
            balancer.process.send_signal(signal.SIGSTOP)
            with connect(self.port) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MIB)
                client.sendall(sent)
                client.shutdown(socket.SHUT_WR)
                if end == "close":
                    client.close()
                balancer.process.send_signal(signal.SIGCONT)
                with self.host.accept() as host:
                    self.assertEqual(readAll(host), sent, f"round {round_}")
                    # An answer to a client that has closed is reset, maybe between
                    # these two.
                    with contextlib.suppress(*([OSError] if end == "close" else [])):
                        host.sendall(b"thanks")
                        host.shutdown(socket.SHUT_WR)
                    if end == "half-close":
                        self.assertEqual(readAll(client), b"thanks")
        self.show(f"{len(sent):,} bytes of a client that had ended ({end}) came, three times")

    def test_clientClosesEarly(self) -> None:
        """
        A client that sends and closes before its host has connected: the host
        gets every byte.
        """
        self._earlyClient("close")

    def test_clientHalfClosesEarly(self) -> None:
        """
        The same with a client that waits for the answer.
        """
        self._earlyClient("half-close")

    def test_hostThatIsSlowToAccept(self) -> None:
        """
        The same where the host's backlog is full, so that the balancer has the
        client and waits for the host.
        """
        self.host.close()
        self.host = RawHost(backlog=0)
        balancer = self.startBalancer()
        crowd = self._fillBacklog()
        sent = os.urandom(300_000)
        with connect(self.port) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MIB)
            client.sendall(sent)
        # The system's table has a line for the balancer's connect, SYN_SENT to the host.
        connecting = f" 0100007F:{self.host.port:04X} 02 "
        table = Path(f"/proc/{balancer.process.pid}/net/tcp")
        waitUntil(lambda: connecting in table.read_text(encoding="ascii"))
        for _ in range(crowd):
            self.host.accept().close()
        with self.host.accept() as host:
            self.assertEqual(readAll(host), sent)
        self.show(f"{len(sent):,} bytes of a client that had closed came to a slow host")

    def _fillBacklog(self) -> int:
        """
        Connect to the host, which does not accept, until nobody else can.
        """
        for crowd in range(20):
            sock = socket.socket()
            self.addCleanup(sock.close)
            sock.settimeout(0.2)
            try:
                sock.connect(("127.0.0.1", self.host.port))
            except TimeoutError:
                sock.close()
                return crowd
        raise AssertionError("the backlog has no end")

    def test_halfCloseByClient(self) -> None:
        """
        The host goes on sending when the client has finished.
        """
        self.startBalancer()
        client, host = self.pair()
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(readAll(host), b"question")
        answer = os.urandom(AFTER_HALF_CLOSE)
        host.sendall(answer)
        host.close()
        self.assertEqual(readAll(client), answer)
        self.show(f"{AFTER_HALF_CLOSE:,} bytes came after the client's half-close")

    def test_halfCloseByHost(self) -> None:
        """
        The client goes on sending when the host has finished.
        """
        self.startBalancer()
        client, host = self.pair()
        host.sendall(b"greeting")
        host.shutdown(socket.SHUT_WR)
        self.assertEqual(readAll(client), b"greeting")
        rest = os.urandom(AFTER_HALF_CLOSE)
        client.sendall(rest)
        client.close()
        self.assertEqual(readAll(host), rest)
        self.show(f"{AFTER_HALF_CLOSE:,} bytes came after the host's half-close")

    def _timeOfReset(self, dying: socket.socket, other: socket.socket) -> float:
        # Both ways are open and in use.
        dying.sendall(b"a")
        other.sendall(b"b")
        self.assertEqual((readExactly(dying, 1), readExactly(other, 1)), (b"b", b"a"))
        began = time.monotonic()
        reset(dying)
        with self.assertRaises(ConnectionResetError):
            other.recv(1)
        return time.monotonic() - began

    def test_reset(self) -> None:
        """
        A side that is reset ends the other at once, by a reset.
        """
        self.startBalancer()
        client, host = self.pair()
        byClient = self._timeOfReset(client, host)
        client, host = self.pair()
        byHost = self._timeOfReset(host, client)
        self.show(
            f"the other side was reset {byClient * 1000:.1f} ms after the client and "
            f"{byHost * 1000:.1f} ms after the host"
        )
        self.assertLess(byClient, 0.5)
        self.assertLess(byHost, 0.5)

    def test_clientThatDoesNotRead(self) -> None:
        """
        A host that sends 200 MiB to a client that does not read is stopped by
        the client's own slowness: the balancer keeps nothing, and does nothing.
        """
        balancer = self.startBalancer()
        pid = balancer.process.pid
        client, host = self.pair()
        sent = 0

        def send() -> None:
            nonlocal sent
            part = b"x" * MIB
            with contextlib.suppress(OSError):
                for _ in range(200):
                    host.sendall(part)
                    sent += MIB

        began = residentBytes(pid)
        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        waitUntil(lambda: sent and _isQuiet(pid))
        warm = residentBytes(pid)
        usage = Usage.during(pid, 4)
        self.show(
            f"host stopped after {sent // MIB} MiB of 200; warm-up {(warm - began) / 1024:+.0f} "
            f"KiB, then over 4 s: {usage}"
        )
        self.assertTrue(sender.is_alive())
        self.assertLess(usage.growth, 4 * MIB)
        self.assertLess(warm - began, 4 * MIB)
        self.assertLess(usage.cores, 0.02)
        # And once it reads, everything comes.
        for _ in range(200):
            readExactly(client, MIB)
        sender.join(PATIENCE)
        self.assertEqual(sent, 200 * MIB)
        self.assertLess(residentBytes(pid) - warm, 4 * MIB)


def _isQuiet(pid: int) -> bool:
    """
    Whether a process does nothing for half a second.
    """
    before = cpuSeconds(pid)
    ends = time.monotonic() + 0.5
    waitUntil(lambda: time.monotonic() >= ends)
    return cpuSeconds(pid) - before < 0.005


class SlowClient:
    """
    A client that reads a little from time to time.

    @ivar received: bytes that it has read.
    """

    def __init__(self, port: int) -> None:
        self.received = 0
        self.socket = connect(port, receiveBuffer=4096)
        self.socket.sendall(LONG_REQUEST)

    def read(self, most: int) -> bytes:
        """
        Read a little.
        """
        part = self.socket.recv(most)
        self.received += len(part)
        return part

    def readAll(self) -> None:
        """
        Read the rest.
        """
        while self.read(1 << 16):
            pass


class SlowClientsTests(IntegrationTestCase):
    """
    Many clients that take their time.
    """

    slow = 2000

    def test_slowClients(self) -> None:
        """
        They don't keep a fast one waiting, and get all that is theirs.
        """
        self.addCleanup(manyDescriptors(3 * self.slow))
        port, host = freePorts(2)
        (self.folder / "long").write_bytes(b"x" * 400_000)
        more = f"root {self.folder}; location = /long {{ }}"
        sites(self, server(host, "fast", more, listen="backlog=4096"))
        with connect(host) as direct:
            direct.sendall(LONG_REQUEST)
            length = len(readAll(direct))
        balancer = self.startTxlb(CONFIG.format(port=port, host=host))
        alone = self._fast(port, [])

        clients = []
        for _ in range(self.slow):
            client = SlowClient(port)
            self.addCleanup(client.socket.close)
            clients.append(client)
        for client in clients:
            self.assertTrue(client.read(16).startswith(b"HTTP/1.1 200"))
        among = self._fast(port, clients)

        descriptors = len(os.listdir(f"/proc/{balancer.process.pid}/fd"))
        memory = residentBytes(balancer.process.pid) // MIB
        self.show(
            f"a request takes {median(alone) * 1000:.1f} ms alone (at most "
            f"{max(alone) * 1000:.1f}), and {median(among) * 1000:.1f} ms (at most "
            f"{max(among) * 1000:.1f}) beside {self.slow} slow clients; "
            f"{descriptors} descriptors, {memory} MiB"
        )
        # All of them are still being served.
        self.assertGreater(descriptors, 2 * self.slow)
        self.assertLess(max(among), 2)
        for client in clients[::20]:
            client.readAll()
            self.assertEqual(client.received, length)

    def _fast(self, port: int, slow: list[SlowClient]) -> list[float]:
        """
        The seconds that each request of a fast client takes, while slow ones
        read a little.
        """
        times = []
        for turn in range(200):
            for client in slow[turn * 10 : turn * 10 + 10]:
                client.read(512)
            began = time.monotonic()
            with connect(port) as sock:
                self.assertEqual(request(sock), b"fast\n")
            times.append(time.monotonic() - began)
        return times
