"""
Tests for L{txlb.cloning._supervision}.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.cloning._supervision import Supervision
from txlb.process import Supervisor


class Noting(Supervisor):
    """
    Notes what systemd is told.
    """

    def __init__(self, watchdog: float = 0.0) -> None:
        super().__init__("/nowhere", watchdog)
        self.told: list[str] = []

    def _tell(self, *lines: str) -> None:
        self.told += [line for line in lines if not line.startswith("MONOTONIC")]


class SupervisionTests(SynchronousTestCase):
    def make(self, isMain: bool = True, watchdog: float = 0.0) -> tuple[Supervision, Any, Clock]:
        supervisor, clock = Noting(watchdog), Clock()
        return Supervision(supervisor, isMain, clock), supervisor, clock

    def test_manager(self) -> None:
        """
        The manager is ready when all clones are, and once.
        """
        supervision, systemd, _ = self.make()
        supervision.manages()
        supervision.changed("1 serves", isReady=False)
        supervision.changed("2 serve", isReady=True)
        supervision.changed("3 serve", isReady=True)
        supervision.reloading()
        supervision.ready("4 serve")
        supervision.stopping("stops")
        self.assertEqual(
            systemd.told,
            [
                f"MAINPID={os.getpid()}", "STATUS=1 serves", "READY=1", "STATUS=2 serve",
                "STATUS=3 serve", "RELOADING=1", "READY=1", "STATUS=4 serve", "STOPPING=1",
                "STATUS=stops",
            ],
        )  # fmt: skip

    def test_clone(self) -> None:
        """
        A process that a manager has started says nothing before it manages.
        """
        supervision, systemd, clock = self.make(isMain=False, watchdog=2.0)
        supervision.start()
        supervision.ready("x")
        supervision.changed("x", isReady=False)
        supervision.reloading()
        supervision.stopping("x")
        clock.advance(10)
        self.assertEqual(systemd.told, [])
        supervision.manages()
        clock.advance(1)
        self.assertEqual(systemd.told, [f"MAINPID={os.getpid()}", "WATCHDOG=1", "WATCHDOG=1"])

    def test_watchdog(self) -> None:
        """
        Messages go twice in each interval, until another process is the main one.
        """
        supervision, systemd, clock = self.make(watchdog=2.0)
        supervision.start()
        supervision.start()
        clock.pump([1.0] * 4)
        self.assertEqual(systemd.told, ["WATCHDOG=1"] * 5)
        supervision.managesNoMore()
        clock.pump([1.0] * 4)
        supervision.ready("x")
        self.assertEqual(systemd.told, ["WATCHDOG=1"] * 5)

    def test_environment(self) -> None:
        """
        Other processes of the service can tell systemd as well.
        """
        supervision, _, _ = self.make(watchdog=2.0)
        wanted = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "2000000"}
        self.assertEqual(supervision.environment, wanted)
        self.assertEqual(Supervisor().environment, {})
        self.assertEqual(Supervisor("/x").environment, {"NOTIFY_SOCKET": "/x"})
