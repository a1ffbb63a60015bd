"""
The end of a balancer, and its new beginning.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import signal
import socket
import subprocess
import time

from tests.integration.support import (
    PATIENCE,
    TWISTD,
    Downloads,
    IntegrationTestCase,
    Load,
    Manhole,
    Program,
    RawHost,
    connect,
    environment,
    freePorts,
    readAll,
    readExactly,
    server,
    sites,
    waitUntil,
)

MIB = 1 << 20

CONFIG = """
<config>
  <service name="web">
    <listen ip="127.0.0.1:{port}"/>
    <group name="hosts" enable="yes"><host name="host" ip="127.0.0.1:{host}"/></group>
  </service>
  {more}
  <manager graceTime="{grace}"/>
</config>
"""


class SignalTests(IntegrationTestCase):
    """
    C{twistd -n txlb} and signals.
    """

    def setUp(self) -> None:
        super().setUp()
        self.port = freePorts(1)[0]
        self.host = RawHost()
        self.addCleanup(self.host.close)

    def startBalancer(self, host: int, grace: float = PATIENCE) -> Program:
        """
        A balancer in front of a host.
        """
        return self.startTxlb(CONFIG.format(port=self.port, host=host, grace=grace, more=""))

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """
        A client and a host that are connected through the balancer.
        """
        client = connect(self.port)
        self.addCleanup(client.close)
        client.sendall(b"question")
        host = self.host.accept()
        self.addCleanup(host.close)
        self.assertEqual(readExactly(host, 8), b"question")
        return client, host

    def test_gracefully(self) -> None:
        """
        SIGTERM: who comes is refused, who is there is served, the end is good.
        """
        program = self.startBalancer(self.host.port)
        pairs = [self.pair() for _ in range(10)]
        program.process.send_signal(signal.SIGTERM)
        program.waitFor("SIGTERM: stopping")
        began = time.monotonic()
        waitUntil(self._isRefused)
        refused = time.monotonic() - began
        self.assertIsNone(program.process.poll())
        answer = os.urandom(200_000)
        for client, host in pairs:
            host.sendall(answer)
            host.close()
            self.assertEqual(readAll(client), answer)
            client.close()
        self.assertEqual(program.process.wait(PATIENCE), 0)
        self.show(
            f"new connections were refused {refused * 1000:.1f} ms after SIGTERM was seen, "
            f"{len(pairs)} requests under way ended well, status 0"
        )

    def _isRefused(self) -> bool:
        try:
            connect(self.port).close()
        except ConnectionRefusedError:
            return True
        return False

    def test_underLoad(self) -> None:
        """
        SIGTERM under load: not one who was connected is failed.
        """
        host = freePorts(1)[0]
        content = os.urandom(MIB)
        (self.folder / "long").write_bytes(content)
        more = f"root {self.folder}; location = /long {{ limit_rate 512k; }}"
        sites(self, server(host, "answer", more))
        program = self.startBalancer(host)
        downloads = Downloads(self.port, "/long", 10)
        with Load(lambda: self.port, 50) as load:
            waitUntil(functools.partial(_hasDone, load, 500))
            program.process.send_signal(signal.SIGTERM)
            waitUntil(lambda: load.refused > 50)
            underWay = downloads.running
            self.assertIsNone(program.process.poll())
        downloads.wait()
        self.assertEqual(program.process.wait(PATIENCE), 0)
        self.show(
            f"{load.done} requests by 50 clients, {len(load.failures)} failed; {underWay} "
            "downloads went on after SIGTERM and came whole; status 0"
        )
        self.assertEqual(load.failures, [])
        self.assertEqual(set(load.answers), {b"answer\n"})
        self.assertEqual(underWay, 10)
        self.assertEqual(downloads.failures, [])
        self.assertEqual(downloads.digests, [hashlib.sha256(content).hexdigest()] * 10)

    def test_twice(self) -> None:
        """
        A second SIGTERM closes everything at once.
        """
        program = self.startBalancer(self.host.port)
        pairs = [self.pair() for _ in range(10)]
        program.process.send_signal(signal.SIGTERM)
        program.waitFor("SIGTERM: stopping")
        self.assertIsNone(program.process.poll())
        began = time.monotonic()
        program.process.send_signal(signal.SIGTERM)
        for client, host in pairs:
            for side in (client, host):
                with self.assertRaises(ConnectionResetError):
                    side.recv(1)
        self.assertEqual(program.process.wait(PATIENCE), 0)
        took = time.monotonic() - began
        self.show(f"the second SIGTERM reset 10 connections; status 0 after {took * 1000:.0f} ms")
        self.assertLess(took, PATIENCE / 2)

    def test_interrupt(self) -> None:
        """
        SIGINT, as Ctrl-C sends it, does the same.
        """
        program = self.startBalancer(self.host.port)
        self.assertEqual(self.stopTwistd(program, signal.SIGINT), 0)
        self.assertIn("SIGINT: stopping", program.output)

    def test_grace(self) -> None:
        """
        Who does not end in the grace time is reset after it.
        """
        program = self.startBalancer(self.host.port, grace=1)
        client, host = self.pair()
        began = time.monotonic()
        program.process.send_signal(signal.SIGTERM)
        for side in (client, host):
            with self.assertRaises(ConnectionResetError):
                side.recv(1)
        took = time.monotonic() - began
        self.assertEqual(program.process.wait(PATIENCE), 0)
        self.show(f"a client that stayed was reset after {took:.2f} s, with a grace time of 1 s")
        self.assertGreaterEqual(took, 1)
        self.assertIn("resetting 1 connections that did not end", program.output)

    def test_backlogIsServed(self) -> None:
        """
        Those who had connected, and waited to be accepted when the signal came,
        are served.
        """
        program = self.startBalancer(self.host.port)
        program.process.send_signal(signal.SIGSTOP)
        waiting = []
        for _ in range(20):
            client = connect(self.port)
            self.addCleanup(client.close)
            client.sendall(b"question")
            waiting.append(client)
        program.process.send_signal(signal.SIGTERM)
        program.process.send_signal(signal.SIGCONT)
        for _ in waiting:
            with self.host.accept() as host:
                self.assertEqual(readExactly(host, 8), b"question")
                host.sendall(b"answer")
        for client in waiting:
            self.assertEqual(readAll(client), b"answer")
            client.close()
        self.assertEqual(program.process.wait(PATIENCE), 0)
        self.show(f"{len(waiting)} clients of the backlog were served after SIGTERM")

    def test_inTheBackground(self) -> None:
        """
        The same where twistd has gone to the background.
        """
        config = CONFIG.format(port=self.port, host=self.host.port, grace=PATIENCE, more="")
        path = self.write("config.xml", config)
        pidfile, log = self.folder / "pid", self.folder / "log"
        options = (f"--pidfile={pidfile}", f"--logfile={log}")
        subprocess.run(
            [*TWISTD, *options, "txlb", "-c", str(path)],
            check=True,
            timeout=PATIENCE,
            cwd=self.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
        )
        waitUntil(lambda: pidfile.exists() and pidfile.read_text().strip())
        pid = int(pidfile.read_text())

        def end() -> None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

        self.addCleanup(end)
        client, host = self.pair()
        os.kill(pid, signal.SIGTERM)
        waitUntil(lambda: "SIGTERM: stopping" in log.read_text("utf-8"))
        waitUntil(self._isRefused)
        host.sendall(b"answer")
        host.close()
        self.assertEqual(readAll(client), b"answer")
        client.close()
        waitUntil(lambda: "Server Shut Down" in log.read_text("utf-8"))
        self.assertNotRegex(log.read_text("utf-8"), "Traceback|Unhandled")
        self.assertFalse(pidfile.exists())


class RestartTests(IntegrationTestCase):
    """
    A balancer that is stopped and started again in one process.
    """

    def test_again(self) -> None:
        """
        C{stopService} and C{startService}, at the prompt.
        """
        port, host, ssh = freePorts(3)
        sites(self, server(host, "answer"))
        manhole = Manhole(self, ssh)
        self.startTxlb(CONFIG.format(port=port, host=host, grace=1, more=manhole.xml))
        for turn in range(3):
            with connect(port) as stuck, Load(lambda: port, 5) as load:
                waitUntil(lambda: load.done > 50)
                stuck.sendall(b"GET / HT")
                said = manhole.run("services.stopService()")
                self.assertIn("called back: None", said)
                with self.assertRaises(ConnectionResetError):
                    stuck.recv(1)
                waitUntil(lambda: load.refused > 50)
                goal = load.done + 50
                self.assertEqual(manhole.run("services.getProxyService('web').addresses"), "()\n")
                manhole.run("services.startService()")
                waitUntil(functools.partial(_hasDone, load, goal))
            self.assertEqual(load.failures, [], f"turn {turn}")
        self.show("stopped and started three times; the client that stayed was reset each time")


def _hasDone(load: Load, requests: int) -> bool:
    return load.done > requests
