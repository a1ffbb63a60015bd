"""
Both relays under reactors other than the usual one.
"""

from __future__ import annotations

import os
import socket
import threading
from collections import Counter

from tests.integration.support import (
    IntegrationTestCase,
    RawHost,
    bodyOf,
    connect,
    freePorts,
    manyDescriptors,
    readAll,
    request,
    server,
    sites,
)

CONFIG = """
<config>
  <service name="web" relay="{relay}">
    <listen ip="127.0.0.1:{web}"/>
    <group name="hosts" enable="yes">
      <host name="host1" ip="127.0.0.1:{host1}"/>
      <host name="host2" ip="127.0.0.1:{host2}"/>
    </group>
  </service>
  <service name="raw" relay="{other}">
    <listen ip="127.0.0.1:{raw}"/>
    <group name="hosts" enable="yes"><host name="host" ip="127.0.0.1:{host}"/></group>
  </service>
</config>
"""

NAMES = ("web", "raw", "host1", "host2")
MIB = 1 << 20


class ReactorTests(IntegrationTestCase):
    """
    C{twistd --reactor=...}
    """

    def _works(self, reactor: str, module: str) -> None:
        for relay in ("portable", "fast"):
            self._relays(relay, reactor, module)

    def _relays(self, relay: str, reactor: str, module: str) -> None:
        ports = dict(zip(NAMES, freePorts(len(NAMES)), strict=True))
        sites(self, server(ports["host1"], "host1"), server(ports["host2"], "host2"))
        with RawHost() as host:
            config = CONFIG.format(host=host.port, relay=relay, other=relay, **ports)
            program = self.startTxlb(config, f"--reactor={reactor}")
            self.assertIn(f"reactor class: twisted.internet.{module}.", program.output)
            answers = Counter(bodyOf(ports["web"]) for _ in range(100))
            self.assertEqual(set(answers), {b"host1\n", b"host2\n"})
            # One that has not quite ended when the next begins still counts.
            self.assertLessEqual(abs(answers[b"host1\n"] - 50), 5)
            self._exchange(ports["raw"], host)
            self.assertEqual(self.stopTwistd(program), 0)
        self.show(f"{reactor}, {relay}: 100 requests, 4 MiB each way with half-closes, status 0")

    def _exchange(self, port: int, host: RawHost) -> None:
        """
        A long question, its end, and then a long answer.
        """
        question, answer = os.urandom(4 * MIB), os.urandom(4 * MIB)
        with connect(port) as client, host.accept() as inner:

            def ask() -> None:
                client.sendall(question)
                client.shutdown(socket.SHUT_WR)

            asking = threading.Thread(target=ask, daemon=True)
            asking.start()
            self.assertEqual(readAll(inner), question)
            answering = threading.Thread(target=inner.sendall, args=(answer,), daemon=True)
            answering.start()
            received = bytearray()
            while len(received) < len(answer):
                received += client.recv(1 << 16)
            self.assertEqual(bytes(received), answer)
            inner.shutdown(socket.SHUT_WR)
            self.assertEqual(client.recv(1), b"")
            asking.join()
            answering.join()

    def test_poll(self) -> None:
        """
        The one that every POSIX system has.
        """
        self._works("poll", "pollreactor")

    def test_select(self) -> None:
        """
        The oldest one.
        """
        self._works("select", "selectreactor")

    def test_asyncio(self) -> None:
        """
        The one for those who have asyncio's coroutines beside the balancer.
        """
        self._works("asyncio", "asyncioreactor")

    def test_selectWithManyClients(self) -> None:
        """
        select() knows no descriptor above 1023, so no more clients are taken
        than it can do, also where another service has the fast relay.
        """
        clients = 700
        self.addCleanup(manyDescriptors(4 * clients))
        ports = dict(zip(NAMES, freePorts(len(NAMES)), strict=True))
        sites(self, server(ports["host1"], "host1"), server(ports["host2"], "host2"))
        config = CONFIG.format(host=1, relay="portable", other="fast", **ports)
        program = self.startTxlb(config, "--reactor=select")
        capacity = int(program.waitFor(r"allow (\d+) connections")[1])
        self.assertLess(capacity, 512)
        kept = []
        for _ in range(clients):
            client = connect(ports["web"])
            self.addCleanup(client.close)
            try:
                request(client)
            except OSError:
                break
            kept.append(client)
        self.assertEqual(len(kept), capacity)
        for client in kept:
            self.assertIn(request(client), (b"host1\n", b"host2\n"))
        self.show(f"select: {capacity} connections at once, and the next one closed")
