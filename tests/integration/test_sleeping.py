"""
A balancer that is stopped for a while and goes on, as in a virtual machine that was
paused: what has come meanwhile counts before any deadline that has passed.

HAProxy 2.6 cuts no connection in the same case.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable

from tests.integration.programs import Program
from tests.integration.support import (
    IntegrationTestCase,
    RawHost,
    connect,
    freePorts,
    readExactly,
    waitUntil,
)

#: Connections with data waiting.
CONNECTIONS = 50

#: Seconds of silence after which a connection is ended.
IDLE = 3.0

#: Seconds that a check has, and a host to accept.
PATIENCE = 1.0

#: Seconds that the balancer sleeps.
SLEEP = IDLE + PATIENCE

CONFIG = """
<config>
  <service name="web" relay="{relay}" idleTimeout="{idle}" finTimeout="{idle}"
      connectTimeout="{patience}" dialTimeout="{patience}">
    <listen ip="127.0.0.1:{port}"/>
    <group name="main" scheduler="roundr" enable="yes">
      <check type="http" interval="{patience}" timeout="{patience}" fall="1" rise="1"
          port="{checkPort}"/>
      <host name="host" ip="127.0.0.1:{hostPort}"/>
    </group>
  </service>
</config>
"""


class SlowAnswers:
    """
    A host that is asked by checks, and answers each when most of its time is over.
    A balancer that sleeps for longer always has a check under way.

    @ivar asked: how many times it was asked.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.host = RawHost()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                sock, _ = self.host.socket.accept()
            except OSError:
                return
            with sock, contextlib.suppress(OSError):
                sock.settimeout(PATIENCE)
                sock.recv(65536)
                self.asked += 1
                time.sleep(0.7 * PATIENCE)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def close(self) -> None:
        """
        Answer nobody any more.
        """
        # To close it would not wake up the thread.
        self.host.socket.shutdown(socket.SHUT_RDWR)
        self.host.close()
        self._thread.join()


class SleepTests(IntegrationTestCase):
    def sleep(self, balancer: Program, meanwhile: Callable[[], object]) -> None:
        """
        Stop a balancer for a while.
        """
        balancer.process.send_signal(signal.SIGSTOP)
        try:
            waitUntil(lambda: self.isStopped(balancer))
            meanwhile()
            time.sleep(SLEEP)
        finally:
            balancer.process.send_signal(signal.SIGCONT)

    def isStopped(self, balancer: Program) -> bool:
        """
        Whether the system has stopped it.
        """
        with open(f"/proc/{balancer.process.pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] == "T"

    def play(self, relay: str) -> None:
        """
        Sleep with connections that have something to read on either side, and with a
        check under way.
        """
        (port,) = freePorts(1)
        answers = SlowAnswers()
        self.addCleanup(answers.close)
        with contextlib.ExitStack() as stack:
            host = stack.enter_context(RawHost())
            balancer = self.startTxlb(
                CONFIG.format(
                    relay=relay,
                    port=port,
                    hostPort=host.port,
                    checkPort=answers.host.port,
                    idle=IDLE,
                    patience=PATIENCE,
                )
            )
            waitUntil(lambda: answers.asked)
            pairs = []
            for _ in range(CONNECTIONS):
                client = stack.enter_context(connect(port))
                client.sendall(b"question")
                server = stack.enter_context(host.accept())
                readExactly(server, 8)
                pairs.append((client, server))

            def meanwhile() -> None:
                for number, (client, server) in enumerate(pairs):
                    if number % 2:
                        client.sendall(b"another")
                    else:
                        server.sendall(b"answer!")

            self.sleep(balancer, meanwhile)
            cut = 0
            for number, (client, server) in enumerate(pairs):
                try:
                    data = readExactly(server if number % 2 else client, 7)
                except (OSError, EOFError):
                    cut += 1
                else:
                    self.assertEqual(data, b"another" if number % 2 else b"answer!")
            self.assertEqual(cut, 0, f"{cut} of {CONNECTIONS} connections were cut")
            asked = answers.asked
            waitUntil(lambda: answers.asked > asked + 1)
        self.assertNotIn("host-down", balancer.output)
        self.show(f"{relay}: {cut} of {CONNECTIONS} connections were cut")

    def test_fast(self) -> None:
        """
        With the fast relay.
        """
        self.play("fast")

    def test_portable(self) -> None:
        """
        With the portable relay.
        """
        self.play("portable")
