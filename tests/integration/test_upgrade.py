"""
Upgrades of a balancer: another process takes its connections over.
"""

from __future__ import annotations

import os
import signal

from tests.integration.support import UpgradeTestCase, freePorts, waitUntil

CONFIG = """
<service name="web">
  <listen ip="127.0.0.1:{port}"/>
  <group name="hosts" enable="yes"><host name="host" ip="127.0.0.1:{host}"/></group>
</service>
"""

#: Upgrades in a row in CI; more by hand.
UPGRADES = int(os.environ.get("TXLB_UPGRADES", "3"))


class TrafficTests(UpgradeTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.port, self.hostPort = freePorts(2)
        self.host(self.hostPort)

    def test_nothingIsLost(self) -> None:
        """
        Downloads, uploads, idle and new connections go on through upgrades, and each byte is
        right. Each connection has one line in the log.
        """
        self.balancer(CONFIG.format(port=self.port, host=self.hostPort))
        first = self.pid
        clients = self.clients(self.port, downloads=3, uploads=3, short=5, idle=50)
        moved = [self.upgrade() for _ in range(UPGRADES)]
        self.assertNotEqual(self.pid, first)
        seen = clients.seen()
        self.assertEqual(seen["wrong"], [])
        for kind in ("downloads", "uploads", "short", "idle"):
            self.assertGreater(seen["rounds"][kind], 0)
        for count in moved:
            self.assertGreaterEqual(count, 50)
        rounds = sum(seen["rounds"].values())
        waitUntil(lambda: self.log.count(" web hosts/host ") >= rounds)
        self.assertEqual(self.log.count(" web hosts/host "), rounds)
        self.show(f"{seen}, moved {moved}")

    def test_signal(self) -> None:
        """
        SIGUSR2 upgrades as well.
        """
        self.balancer(CONFIG.format(port=self.port, host=self.hostPort))
        first = self.pid
        clients = self.clients(self.port, idle=3)
        os.kill(first, signal.SIGUSR2)
        waitUntil(lambda: self.pid not in {0, first})
        self.assertEqual(clients.seen()["wrong"], [])
