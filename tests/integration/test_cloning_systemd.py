"""
Cloned applications under systemd: messages to a socket that stands for it, and sockets that
systemd has opened.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
from pathlib import Path

from tests.integration.cloned import CloningTestCase
from tests.integration.programs import Program, environment, waitUntil
from tests.integration.support import TWISTD, connect, connectUNIX, request

#: The peer's process in SCM_CREDENTIALS.
CREDENTIALS = struct.Struct("3i")


class Notified:
    """
    A socket like the one to which services of systemd send messages.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(str(path))
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._sock.setblocking(False)
        self._heard: list[tuple[int, str]] = []

    def close(self) -> None:
        self._sock.close()

    @property
    def heard(self) -> list[tuple[int, str]]:
        """
        The lines that have come, each with the process that has sent it.
        """
        while True:
            try:
                data, ancillary, _, _ = self._sock.recvmsg(4096, socket.CMSG_SPACE(12))
            except BlockingIOError:
                return self._heard
            pid = CREDENTIALS.unpack(ancillary[0][2])[0]
            self._heard += [(pid, line) for line in data.decode().splitlines()]

    def said(self, pid: int, line: str) -> bool:
        """
        Tell whether a process has sent a line.
        """
        return (pid, line) in self.heard

    def count(self, pid: int, line: str) -> int:
        """
        Count how often it has.
        """
        return self.heard.count((pid, line))


class SystemdTestCase(CloningTestCase):
    def notified(self) -> Notified:
        found = Notified(self.shortFolder() / "notify")
        self.addCleanup(found.close)
        return found


class NotifyTests(SystemdTestCase):
    def test_life(self) -> None:
        """
        The manager is the main process and reports to systemd, and so does the process that
        takes its place; clones report nothing.
        """
        systemd = self.notified()
        self.environment = {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "1000000"}
        self.begin()
        first = self.manager()
        self.assertTrue(systemd.said(first, f"MAINPID={first}"))
        waitUntil(lambda: systemd.said(first, "READY=1"))
        self.assertTrue(systemd.said(first, "STATUS=manages 2 clones, 2 serve"))
        waitUntil(lambda: systemd.count(first, "WATCHDOG=1") > 3)

        next_ = self.standby()
        os.kill(first, signal.SIGKILL)
        waitUntil(lambda: systemd.said(next_, "READY=1"))
        self.assertTrue(systemd.said(next_, f"MAINPID={next_}"))
        waitUntil(lambda: systemd.count(next_, "WATCHDOG=1") > 3)

        ready = systemd.count(next_, "READY=1")
        os.kill(next_, signal.SIGHUP)
        waitUntil(lambda: systemd.said(next_, "RELOADING=1"))
        waitUntil(lambda: systemd.count(next_, "READY=1") > ready)

        waitUntil(self.settled)
        os.kill(next_, signal.SIGUSR2)
        waitUntil(lambda: self.manager() != next_)
        heir = self.manager()
        waitUntil(lambda: systemd.said(heir, f"MAINPID={heir}"))
        waitUntil(lambda: systemd.said(heir, "READY=1"))

        os.kill(heir, signal.SIGTERM)
        waitUntil(lambda: systemd.said(heir, "STOPPING=1"))
        waitUntil(lambda: not self.ours())
        managers = {first, next_, heir}
        self.assertEqual({pid for pid, _ in systemd.heard} - managers, set())

    def test_startedByHand(self) -> None:
        """
        Units of a template start the application several times. Each tells its own systemd
        that it is ready, and works.
        """
        self.begin()
        systemd = self.notified()
        environ = environment(NOTIFY_SOCKET=str(systemd.path), WATCHDOG_USEC="1000000")
        program = Program((*TWISTD, "-n", "-y", self.folder / "app.tac"), self.folder, environ)
        self.addCleanup(program.stop)
        pid = program.process.pid
        waitUntil(lambda: systemd.said(pid, "READY=1"))
        self.assertTrue(systemd.said(pid, "STATUS=serves as clone2"))
        waitUntil(lambda: systemd.count(pid, "WATCHDOG=1") > 3)
        self.assertFalse(systemd.said(pid, f"MAINPID={pid}"))
        program.stop()
        self.assertTrue(systemd.said(pid, "STOPPING=1"))


class SocketTests(SystemdTestCase):
    """
    Sockets of systemd's.
    """

    def activate(self, *words: str) -> None:
        """
        Start the application as systemd would, and wait until it is complete.
        """
        self.need("systemd-socket-activate")
        paths = f"PYTHONPATH={environment()['PYTHONPATH']}"
        command = ("systemd-socket-activate", *words, "-E", paths, *TWISTD, "-n", "-y")
        self.program = Program((*command, self.application()), self.folder, environment())
        self.addCleanup(self.end)
        self.program.waitFor("Listening on")

    def takesOver(self) -> None:
        """
        The manager is killed, and the socket goes on listening.
        """
        waitUntil(lambda: len(self.joined()) >= self.processes and self.standsBy())
        killed = self.manager()
        os.kill(killed, signal.SIGKILL)
        waitUntil(lambda: self.manager() != killed)
        waitUntil(self.settled)

    def test_TCP(self) -> None:
        self.endpoint = "systemd:domain=INET:index=0"
        self.activate("-l", f"127.0.0.1:{self.port}")
        self.assertIn(b"clone", request(connect(self.port)))
        self.takesOver()
        answers = {request(connect(self.port)).split()[1] for _ in range(6)}
        self.assertEqual(answers, {b"clone0", b"clone1"})

    def test_UNIX(self) -> None:
        """
        The file of the socket is systemd's, and stays.
        """
        path = self.shortFolder() / "web.sock"
        self.endpoint = "systemd:domain=UNIX:name=web"
        self.activate("-l", str(path), "--fdname=web")
        self.assertIn(b"clone", request(connectUNIX(str(path))))
        self.takesOver()
        self.assertIn(b"clone", request(connectUNIX(str(path))))
        self.end()
        self.assertTrue(path.exists())

    def test_none(self) -> None:
        """
        An application that systemd has given no socket of the name says which there are.
        """
        self.endpoint = "systemd:domain=INET:name=web"
        tac = self.application()
        program = Program((*TWISTD, "-n", "-y", tac), self.folder, environment())
        self.addCleanup(program.stop)
        waitUntil(lambda: program.process.poll() is not None)
        self.assertEqual(program.process.returncode, 1)
        self.assertIn("systemd has given no socket 'web', these are there: none", program.output)
        self.assertNotIn("Traceback", program.output)
