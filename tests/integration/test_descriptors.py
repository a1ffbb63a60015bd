"""
A process that has few descriptors, and many clients.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections import Counter

from tests.integration.support import (
    IntegrationTestCase,
    Program,
    RawHost,
    Usage,
    bodyOf,
    connect,
    descriptorLimit,
    freePorts,
    isClosedByPeer,
    manyDescriptors,
    readAll,
    server,
    sites,
    waitUntil,
)

CONFIG = """
<config>
  <service name="web">
    <listen ip="127.0.0.1:{port}"/>
    <group name="hosts" enable="yes"><host name="host" ip="127.0.0.1:{host}"/></group>
  </service>
</config>
"""

LIMIT = 128
CLIENTS = 1000

#: Of the time of one core, while nothing can be done.
SHARE = 0.2

#: Looks at descriptors that see the same number, which take a second.
LOOKS = 50


class DescriptorTests(IntegrationTestCase):
    """
    The balancer lives, says little, does little, and goes on.
    """

    needed = ("prlimit",)

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(manyDescriptors(4 * CLIENTS))
        self.port = freePorts(1)[0]

    def startBalancer(self, host: int, *before: str) -> Program:
        """
        A balancer in front of a host.
        """
        config = CONFIG.format(port=self.port, host=host)
        return self.startTxlb(config, before=before)

    def descriptors(self, pid: int) -> int:
        """
        How many are in use while there is no connection, but has been one.
        """

        self.assertEqual(bodyOf(self.port), b"answer\n")
        # The start, and the end of the connection, may take a while: it is over if nothing
        # has changed for a second.
        counts: list[int] = []

        def settled() -> bool:
            counts.append(len(os.listdir(f"/proc/{pid}/fd")))
            return len(counts) > LOOKS and len(set(counts[-LOOKS:])) == 1

        waitUntil(settled)
        return counts[-1]

    def mostWarnings(self, program: Program, words: str) -> int:
        """
        How many lines of the log in one second have these words.
        """
        line = re.compile(rf"^(\S+T\d\d:\d\d:\d\d)\S* .*#warn.*{words}", re.MULTILINE)
        seconds = line.findall(program.output)
        self.assertTrue(seconds, program.output)
        return max(Counter(seconds).values())

    def crowd(self) -> list[socket.socket]:
        """
        All the clients, connected at once.
        """
        clients = []
        for _ in range(CLIENTS):
            client = connect(self.port)
            self.addCleanup(client.close)
            clients.append(client)
        return clients

    def test_fromTheBeginning(self) -> None:
        """
        With so few, it takes as many clients as it can serve, and closes others.
        """
        with RawHost(backlog=CLIENTS) as host:
            program = self.startBalancer(host.port, "prlimit", f"--nofile={LIMIT}:{LIMIT}")
            pid = program.process.pid
            self.assertEqual(descriptorLimit(pid), LIMIT)
            capacity = int(program.waitFor(r"allow (\d+) connections")[1])
            self.assertGreater(capacity, 30)
            clients = self.crowd()
            waitUntil(lambda: sum(map(isClosedByPeer, clients)) == CLIENTS - capacity)
            usage = Usage.during(pid, 4)
            kept = [client for client in clients if not isClosedByPeer(client)]
            self.assertEqual(len(kept), capacity)
            self.assertIsNone(program.process.poll())

            # Room: half of them go, and both of their descriptors come free.
            inner = [host.accept() for _ in range(capacity)]
            for sock in inner:
                self.addCleanup(sock.close)
            for client in kept[: capacity // 2]:
                client.close()
            for sock in inner:
                sock.setblocking(False)
            began = time.monotonic()
            waitUntil(lambda: self._closeEnded(inner) >= capacity // 2)
            waitUntil(lambda: self._isServed(host))
            took = time.monotonic() - began
            for _ in range(capacity // 4):
                self.assertTrue(self._isServed(host))
        self.show(
            f"{LIMIT} descriptors allow {capacity} connections, {CLIENTS - capacity} of {CLIENTS} "
            f"clients were closed; then {usage}; with room a client was served in {took:.2f} s"
        )
        self.assertLess(usage.cores, SHARE)
        self.assertLessEqual(self.mostWarnings(program, "clients? closed"), 1)
        self.assertLess(took, 2)

    def _closeEnded(self, inner: list[socket.socket]) -> int:
        """
        Close the host's side of those whose client has gone.

        @return: how many have been closed by now.
        """
        for sock in inner:
            if sock.fileno() >= 0 and isClosedByPeer(sock):
                sock.close()
        return sum(sock.fileno() < 0 for sock in inner)

    def _isServed(self, host: RawHost) -> bool:
        with connect(self.port) as client:
            client.sendall(b"question")
            host.socket.settimeout(1)
            try:
                with host.accept() as inner:
                    if inner.recv(8) != b"question":
                        return False
                    inner.sendall(b"answer")
            except TimeoutError:
                return False
            return readAll(client) == b"answer"

    def test_allUsedUp(self) -> None:
        """
        With none left at all clients wait in the backlog, and are served when
        there are some again.
        """
        host = freePorts(1)[0]
        sites(self, server(host, "answer", listen=f"backlog={CLIENTS}"))
        program = self.startBalancer(host)
        pid = program.process.pid
        limit = descriptorLimit(pid, self.descriptors(pid))
        clients = self.crowd()
        for client in clients:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        program.waitFor("no new connections on")
        usage = Usage.during(pid, 4)
        self.assertFalse(any(map(isClosedByPeer, clients)))

        descriptorLimit(pid, limit)
        began = time.monotonic()
        self.assertTrue(readAll(clients[0]).endswith(b"answer\n"))
        first = time.monotonic() - began
        for client in clients[1:]:
            self.assertTrue(readAll(client).endswith(b"answer\n"))
        last = time.monotonic() - began
        self.show(
            f"{CLIENTS} clients waited in the backlog; {usage}; with room the first was served "
            f"after {first:.2f} s, the last after {last:.2f} s"
        )
        self.assertLess(usage.cores, SHARE)
        self.assertLessEqual(self.mostWarnings(program, "no new connections"), 1)
        self.assertLess(first, 2)

    def test_noneForHosts(self) -> None:
        """
        Where there is one for the client and none for the host, that is not the
        host's fault.
        """
        host = freePorts(1)[0]
        sites(self, server(host, "answer"))
        program = self.startBalancer(host)
        pid = program.process.pid
        limit = descriptorLimit(pid, self.descriptors(pid) + 1)
        for _ in range(20):
            with connect(self.port) as client:
                self.assertEqual(readAll(client), b"")
        descriptorLimit(pid, limit)
        self.assertEqual(bodyOf(self.port), b"answer\n")
        self.assertIn("1 client closed, local", program.output)
        # The others are told of as well, though no client comes any more.
        told = re.compile(r"([0-9]+) clients? closed, local")
        waitUntil(lambda: sum(map(int, told.findall(program.output))) == 20)
        self.assertNotIn("host-down", program.output)
        self.assertLessEqual(self.mostWarnings(program, "clients? closed"), 1)
