"""
Clients that ask for much and read nothing.
"""

from __future__ import annotations

import time

from tests.integration.support import (
    IntegrationTestCase,
    connect,
    freePorts,
    manyDescriptors,
    readAll,
    residentBytes,
    server,
    sites,
    waitUntil,
)

CONFIG = """
<config>
  <service name="web" relay="fast" maxConnections="5000">
    <listen ip="127.0.0.1:{port}"/>
    <group name="main" enable="yes"><host name="host" ip="{host}"/></group>
  </service>
</config>
"""

LONG_REQUEST = b"GET /long HTTP/1.0\r\n\r\n"

#: Bytes of each answer, more than all buffers on its way hold.
LENGTH = 16 << 20

#: More clients than there are pipes.
CLIENTS = 400

#: How the host listens. Its own buffers are small: the system's memory for TCP is bounded, and it
#: resets connections that are closed with unsent bytes if there is none left.
HOST_LISTENS = "backlog=4096 sndbuf=128k"

#: Bytes that each of them may cost. HAProxy's buffer is half of it.
MOST = 32768


class SlowReadersTests(IntegrationTestCase):
    def check(self, listen: str, host: str) -> None:
        """
        Let the clients ask, and see what the balancer has kept.

        @param listen: where nginx listens besides.
        @param host: the host's address.
        """
        self.addCleanup(manyDescriptors(4 * CLIENTS))
        port, other = freePorts(2)
        with (self.folder / "long").open("wb") as file:
            file.truncate(LENGTH)
        # By default nginx gives up on a client that takes nothing for a minute.
        more = f"root {self.folder}; send_timeout 10m; location = /long {{ }}"
        servers = [server(other, "fast", more, listen=HOST_LISTENS)]
        if listen:
            servers.append(server(listen, "fast", more, listen=HOST_LISTENS))
        sites(self, *servers)
        balancer = self.startTxlb(CONFIG.format(port=port, host=host or f"127.0.0.1:{other}"))
        pid = balancer.process.pid
        with connect(port) as warm:
            warm.sendall(LONG_REQUEST)
            length = len(readAll(warm))
        before = residentBytes(pid)
        clients = []
        for _ in range(CLIENTS):
            client = connect(port, receiveBuffer=4096)
            self.addCleanup(client.close)
            client.sendall(LONG_REQUEST)
            clients.append(client)
        waitUntil(lambda: _isStill(pid))
        each = (residentBytes(pid) - before) / CLIENTS
        self.show(f"each of {CLIENTS} clients that don't read costs {each / 1024:.1f} KiB")
        self.assertLess(each, MOST)
        # And it all comes when they read.
        for client in clients[:: CLIENTS // 5]:
            self.assertEqual(len(readAll(client)), length)

    def test_TCP(self) -> None:
        """
        From a host that is reached by TCP.
        """
        self.check("", "")

    def test_UNIX(self) -> None:
        """
        From one that is reached by a UNIX socket.
        """
        path = self.shortFolder() / "s"
        self.check(f"unix:{path}", f"unix:{path}")


def _isStill(pid: int) -> bool:
    """
    Whether a process keeps its size for a while.
    """
    before = residentBytes(pid)
    time.sleep(0.5)
    return residentBytes(pid) == before
