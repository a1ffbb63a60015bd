"""
Hosts that answer and reset: the client gets the answer, as often as through HAProxy.

Nothing here waits for a certain order of events. Each try is a race between the host's
reset, the relay and the client, and so there are many of them.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.integration.programs import PATIENCE, Program, waitUntil
from tests.integration.support import IntegrationTestCase, connect, freePorts
from tests.integration.support._resetting import (
    ANSWER,
    Resetting,
    atOnce,
    closeAtOnce,
    readOut,
    smallWrites,
    stopReading,
    tooLarge,
    tooLargeAtOnce,
    upload,
)

CONFIG = """
<config>
  <service name="raw" relay="{relay}">
    <listen ip="127.0.0.1:{port}"/>
    <group name="hosts" enable="yes" whenAllDown="close"><host name="host" ip="{host}"/></group>
  </service>
</config>
"""

HAPROXY = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m
listen raw
    bind 127.0.0.1:{port}
    server host {host}
"""

#: Bytes of an upload, more than all buffers on its way hold.
UPLOAD = 64 << 20


class ResetTests(IntegrationTestCase):
    """
    Through the fast relay.
    """

    relay = "fast"

    def listen(self, family: socket.AddressFamily) -> tuple[socket.socket, str]:
        """
        @return: a listening socket, and its address in a configuration.
        """
        if family == socket.AF_UNIX:
            sock = socket.socket(family)
            path = str(self.shortFolder() / "s")
            sock.bind(path)
            sock.listen(128)
            return sock, f"unix:{path}"
        host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        sock = socket.create_server((host, 0), family=family, backlog=128)
        port = sock.getsockname()[1]
        return sock, f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def balancer(self, host: str) -> tuple[int, Program]:
        """
        @return: the port of a balancer, and the program.
        """
        (port,) = freePorts(1)
        return port, self.startTxlb(CONFIG.format(port=port, host=host, relay=self.relay))

    def haproxy(self, host: str) -> int:
        """
        @return: the port of a HAProxy.
        """
        (port,) = freePorts(1)
        path = self.write(
            "haproxy.cfg", HAPROXY.format(port=port, host=host.replace("unix:", "unix@"))
        )
        program = self.start("haproxy", "-db", "-f", Path(path))
        waitUntil(lambda: _listens(port) or program.process.poll() is not None)
        return port

    def count(self, port: int, times: int, client: Callable[[socket.socket], bytes]) -> int:
        """
        @return: how many of so many clients got the whole answer.
        """
        return sum(self.one(port, client) == ANSWER for _ in range(times))

    def one(self, port: int, client: Callable[[socket.socket], bytes]) -> bytes:
        """
        @return: what one client got.
        """
        with connect(port) as sock:
            return client(sock)

    def check(
        self,
        behaviour: Callable[[socket.socket], None],
        client: Callable[[socket.socket], bytes],
        times: int,
        least: int,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> None:
        """
        @param least: how many must have got the answer.
        """
        listener, host = self.listen(family)
        with Resetting(listener, behaviour):
            port, program = self.balancer(host)
            got = self.count(port, times, client)
            figures = f"{family.name}: {got} of {times} got the answer"
            if shutil.which("haproxy") and os.environ.get("TXLB_SHOW"):
                figures += f", {self.count(self.haproxy(host), times, client)} through HAProxy"
        self.show(figures)
        self.assertGreaterEqual(got, least)
        # It was reached each time, so that it has not failed.
        self.assertNotIn("host-down", program.output)

    def test_upload(self) -> None:
        """
        An upload that its host does not want: 413, and the rest is never read. The host
        answers while more comes, or when nothing more can come.
        """
        for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
            for host in (tooLarge, tooLargeAtOnce):
                self.check(host, lambda sock: upload(sock, UPLOAD), 20, 20, family)

    def test_curl(self) -> None:
        """
        The same with curl.
        """
        self.need("curl")
        upload = self.folder / "upload"
        with upload.open("wb") as file:
            file.truncate(UPLOAD)
        listener, host = self.listen(socket.AF_INET)
        with Resetting(listener, tooLargeAtOnce):
            port, _ = self.balancer(host)
            command = ["curl", "-s", "-H", "Expect:", "-o", "-", "-T", str(upload)]
            got = 0
            for _ in range(20):
                done = subprocess.run(
                    [*command, f"http://127.0.0.1:{port}/"],
                    capture_output=True,
                    check=False,
                    timeout=PATIENCE,
                )
                got += done.stdout == ANSWER.partition(b"\r\n\r\n")[2]
        self.show(f"curl got {got} of 20 answers")
        self.assertEqual(got, 20)

    def test_rightAfterAccept(self) -> None:
        """
        The host answers and resets as soon as it has accepted.
        """
        for client in (readOut, lambda sock: smallWrites(sock, 1)):
            for family in (socket.AF_INET, socket.AF_INET6):
                self.check(atOnce, client, 300, 300, family)

    def test_smallWrites(self) -> None:
        """
        The client writes little many times; the host reads the first, answers and closes.
        HAProxy delivers 998 to 1000 of 1000.
        """
        for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
            self.check(stopReading, lambda sock: smallWrites(sock, 50), 1000, 998, family)

    def test_unixHostThatCloses(self) -> None:
        """
        A UNIX host that answers and closes at once was reached, also if the client's
        question finds it closed.
        """
        for client in (readOut, lambda sock: smallWrites(sock, 1)):
            self.check(closeAtOnce, client, 1000, 1000, socket.AF_UNIX)


class PortableResetTests(ResetTests):
    """
    Through the portable relay.
    """

    relay = "portable"


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
