"""
Clients that try to make prefaces expensive: what they cost is counted.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
from collections.abc import Iterator
from functools import partial

from tests.integration.support import (
    IntegrationTestCase,
    Program,
    RawHost,
    connect,
    freePorts,
    manyDescriptors,
    readAll,
    residentBytes,
    waitUntil,
)
from tests.wire.hellos import extension, hello, message, records
from txlb.wire import MAX_CLIENT_HELLO, MAX_PROXY_HEADER, Alert, encodeProxyV1
from txlb.wire._proxy import SIGNATURE

CONFIG = """
<config>
  <service name="named">
    <listen ip="127.0.0.1:{port}" serverNames="a.example" {header}/>
    <group name="hosts" enable="yes"><host name="host" ip="127.0.0.1:{host}"/></group>
  </service>
</config>
"""

#: Clients at once.
MANY = 1000

#: Bytes that one client may cost the balancer beside its socket: the bytes of its preface, twice
#: while they are put together, and the objects.
EACH = 2 * (MAX_PROXY_HEADER + MAX_CLIENT_HELLO) + 16384

HEADER = encodeProxyV1(("192.0.2.1", 1), ("192.0.2.2", 443))

#: The longest ClientHello, without its last byte.
ALMOST = records(
    message(extension(21, bytes(MAX_CLIENT_HELLO - len(message(extension(21, b""))))))
)[:-1]


class AttackTests(IntegrationTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(manyDescriptors(4 * MANY))
        (self.port,) = freePorts(1)
        self.host = RawHost()
        self.addCleanup(self.host.close)

    def balancer(self, timeout: str = "60s", perClient: int = 2 * MANY) -> Program:
        """
        Start it; all clients are trusted.
        """
        header = (
            f'proxyProtocol="v1 v2" trusted="all" prefaceTimeout="{timeout}" '
            f'maxPrefacesPerClient="{perClient}"'
        )
        config = CONFIG.format(port=self.port, host=self.host.port, header=header)
        program = self.startTxlb(config)
        self.goodClient()
        return program

    def goodClient(self) -> None:
        """
        A client as it should be, which reaches the host, and the only one that does.
        """
        data = HEADER + hello("a.example")
        with connect(self.port) as client:
            client.sendall(data)
            with self.host.accept() as accepted:
                self.assertEqual(accepted.recv(100), data[len(HEADER) :][:100])

    @contextlib.contextmanager
    def clients(self, count: int) -> Iterator[list[socket.socket]]:
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(connect(self.port)) for _ in range(count)]

    def descriptors(self, program: Program) -> int:
        return len(os.listdir(f"/proc/{program.process.pid}/fd"))

    def few(self, program: Program, most: int) -> bool:
        return self.descriptors(program) <= most

    def test_piecemeal(self) -> None:
        """
        A thousand clients that send a header and the longest ClientHello byte by byte at the
        beginning, and never end. Each has one descriptor, and no more memory than its bytes.
        """
        program = self.balancer()
        pid = program.process.pid
        descriptors, memory = self.descriptors(program), residentBytes(pid)
        start = HEADER + ALMOST
        with self.clients(MANY) as clients:
            for at in range(64):
                for client in clients:
                    client.sendall(start[at : at + 1])
            for client in clients:
                client.sendall(start[64:])
            # The first client may still have had its own.
            waitUntil(lambda: self.descriptors(program) >= descriptors + MANY - 5)
            # The balancer has read what they have sent when it answers one that came later.
            self.goodClient()
            self.assertLessEqual(self.descriptors(program), descriptors + MANY + 10)
            grown = residentBytes(pid) - memory
            self.assertLess(grown, MANY * EACH + (32 << 20))
            self.show(f"{grown / MANY / 1024:.0f} KiB a client")
        waitUntil(partial(self.few, program, descriptors + 10))
        self.goodClient()

    def test_perClient(self) -> None:
        """
        One client that never ends its prefaces has a part of the room.
        """
        program = self.balancer(perClient=100)
        descriptors = self.descriptors(program)
        with self.clients(MANY) as clients:
            for client in clients:
                with contextlib.suppress(ConnectionError):
                    client.sendall(HEADER + ALMOST[:50])
            waitUntil(lambda: descriptors + 90 <= self.descriptors(program) <= descriptors + 110)
            program.waitFor("100 connections of this client are in their preface")
            other = encodeProxyV1(("192.0.2.3", 1), ("192.0.2.2", 443))
            with connect(self.port) as client:
                client.sendall(other + hello("a.example"))
                self.host.accept().close()

    def test_silent(self) -> None:
        """
        A thousand clients that stop within the header are closed at their time, and no host is
        asked.
        """
        program = self.balancer("2s")
        descriptors = self.descriptors(program)
        with self.clients(MANY) as clients:
            for number, client in enumerate(clients):
                with contextlib.suppress(OSError):
                    client.sendall((HEADER[:20], SIGNATURE, b"", HEADER, ALMOST[:9])[number % 5])
            for client in clients:
                with contextlib.suppress(ConnectionResetError):
                    self.assertEqual(readAll(client), b"")
        waitUntil(partial(self.few, program, descriptors + 10))
        # The next client that the host sees is the good one.
        self.goodClient()

    def test_garbage(self) -> None:
        """
        Clients that send garbage, too much, or what is wrong in any way; no host is asked.
        """
        program = self.balancer()
        descriptors = self.descriptors(program)
        chance = random.Random(15)
        kinds = (
            lambda: chance.randbytes(chance.randrange(1, 3000)),
            lambda: b"PROXY " + chance.randbytes(200),
            lambda: SIGNATURE + b"\x21\x11\xff\xff" + bytes(5000),
            lambda: SIGNATURE + chance.randbytes(40),
            lambda: HEADER + b"\x16\x03\x01" + chance.randbytes(3000),
            lambda: HEADER + b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(3000),
            lambda: HEADER + b"GET / HTTP/1.0\r\n\r\n",
            lambda: HEADER + hello("b.example"),
        )
        answers = {b"", *(each.record for each in Alert)}
        for number in range(10 * MANY):
            with connect(self.port) as client, contextlib.suppress(ConnectionError):
                client.sendall(kinds[number % len(kinds)]())
                client.shutdown(socket.SHUT_WR)
                self.assertIn(readAll(client), answers)
        waitUntil(partial(self.few, program, descriptors + 10))
        self.goodClient()
