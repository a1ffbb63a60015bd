"""
Tests for L{txlb.process.Supervisor}.
"""

from __future__ import annotations

import os
import socket

from tests.proxy.fakes import ReactorCase, logOf
from txlb.process import Supervisor


class SupervisorTests(ReactorCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.socketPath()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(self.path)
        self.socket.setblocking(False)

    def heard(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return found

    def test_messages(self) -> None:
        supervisor = Supervisor(self.path, seconds=lambda: 12.5)
        supervisor.ready("serving web")
        supervisor.waiting("no\nclients")
        supervisor.reloading()
        supervisor.stopping("two\nlines  " + "x" * 1000)
        ready, waiting, reloading, stopping = self.heard()
        self.assertEqual(waiting, "STATUS=no clients")
        self.assertEqual(ready, "READY=1\nSTATUS=serving web")
        self.assertEqual(reloading, "RELOADING=1\nMONOTONIC_USEC=12500000")
        self.assertTrue(stopping.startswith("STOPPING=1\nSTATUS=two lines x"), stopping)
        self.assertEqual(stopping.count("\n"), 1)
        self.assertLess(len(stopping), 300)

    def test_abstract(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind(f"\0txlb-notify-{os.getpid()}")
            Supervisor(f"@txlb-notify-{os.getpid()}").ready("x")
            sock.settimeout(10)
            self.assertEqual(sock.recv(100), b"READY=1\nSTATUS=x")

    def test_nobody(self) -> None:
        """
        Where nobody wants to know, nothing is done.
        """
        supervisor = Supervisor(watchdog=1.0)
        supervisor.ready("x")
        supervisor.startWatchdog(self.deadlines)
        self.reactor.advance(10)
        supervisor.stopWatchdog()
        self.assertEqual(self.heard(), [])

    def test_gone(self) -> None:
        """
        Who can't be told is named once in the log.
        """
        log = logOf(self)
        supervisor = Supervisor("/nonexistent/socket")
        supervisor.ready("x")
        supervisor.stopping("y")
        [event] = log
        self.assertEqual(event["path"], "/nonexistent/socket")

    def test_watchdog(self) -> None:
        """
        It hears twice in its time that all is well, until the end.
        """
        supervisor = Supervisor(self.path, watchdog=3.0)
        supervisor.startWatchdog(self.deadlines)
        self.assertEqual(self.heard(), ["WATCHDOG=1"])
        for _ in range(12):
            self.reactor.advance(0.5)
        self.assertEqual(self.heard(), ["WATCHDOG=1"] * 4)
        supervisor.stopWatchdog()
        self.reactor.advance(10)
        self.assertEqual(self.heard(), [])

    def test_environment(self) -> None:
        """
        The variables are gone afterwards, and a watchdog of another process is
        not ours.
        """
        for more, wanted in (
            ({}, 0.0),
            ({"WATCHDOG_USEC": "3000000"}, 3.0),
            ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 3.0),
            ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, 0.0),
            ({"WATCHDOG_USEC": "soon"}, 0.0),
        ):
            environ = {"NOTIFY_SOCKET": self.path, "PATH": "/bin", **more}
            supervisor = Supervisor.fromEnvironment(environ)
            self.assertEqual(environ, {"PATH": "/bin"})
            self.assertEqual((supervisor._path, supervisor._watchdog), (self.path, wanted))
        self.assertIsNone(Supervisor.fromEnvironment({})._path)
