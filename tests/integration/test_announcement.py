"""
The C{.tac} with which version 1.1.0 was announced.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

from tests.integration.support import (
    ROOT,
    IntegrationTestCase,
    bodyOf,
    freePorts,
    server,
    sites,
    waitUntil,
)

DOCUMENTED = ("8080", "7001", "7002", "7003")
REQUESTS = 300
AFTERWARDS = 200

#: How far a host's share may be from a third: a quarter of it, as on a busy machine
#: one connection after the other ends late.
UNEVEN = 25


class AnnouncementTests(IntegrationTestCase):
    """
    It runs as it was written.
    """

    def test_announcement(self) -> None:
        """
        The requests come out even over three hosts, and after the sudden death
        of one, not one fails.
        """
        ports = freePorts(len(DOCUMENTED))
        text = (ROOT / "examples" / "announcement.tac").read_text(encoding="utf-8")
        for documented, port in zip(DOCUMENTED, ports, strict=True):
            self.assertIn(f":{documented}'", text)
            text = text.replace(f":{documented}'", f":{port}'")
        tac = self.write("announcement.tac", text)
        hosts = [sites(self, server(port, f"host{n}")) for n, port in enumerate(ports[1:], 1)]
        self.startTwistd("-oy", tac)

        answers = Counter(bodyOf(ports[0]) for _ in range(REQUESTS))

        self.show(f"{REQUESTS} requests over three hosts: {dict(answers)}")
        self.assertEqual(set(answers), {b"host1\n", b"host2\n", b"host3\n"})
        # A connection that has not quite ended when the next one begins still
        # counts for its host, so that one now and then goes out of turn.
        for count in answers.values():
            self.assertLessEqual(abs(count - REQUESTS // 3), UNEVEN)

        # Its master and its workers, as they are one session.
        os.killpg(hosts[0].process.pid, signal.SIGKILL)
        waitUntil(lambda: hosts[0].process.poll() is not None)
        after = Counter(bodyOf(ports[0]) for _ in range(AFTERWARDS))

        self.show(f"{AFTERWARDS} requests after kill -9 of host1: {dict(after)}, none failed")
        self.assertEqual(set(after), {b"host2\n", b"host3\n"})
        self.assertEqual(after.total(), AFTERWARDS)
