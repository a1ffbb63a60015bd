"""
Tests for L{txlb.cloning._spawner}.
"""

from __future__ import annotations

import os
import sys
from typing import Any
from unittest import mock

from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txlb.cloning._identity import ENVIRONMENT, Birth
from txlb.cloning._spawner import Spawner
from txlb.process import STARTED_IN, sameCommand


class CommandTests(SynchronousTestCase):
    def command(self, *arguments: str, name: str = "") -> list[str]:
        original = ["python3", "-X", "dev", "/usr/bin/twistd", *arguments]
        command = sameCommand(["/usr/bin/twistd", *arguments], original, name)
        self.assertEqual(command[:4], [sys.executable, "-X", "dev", "/usr/bin/twistd"])
        self.assertEqual(command[4:6], ["--nodaemon", "--pidfile="])
        return command[6:]

    def test_kept(self) -> None:
        """
        What the application needs stays.
        """
        self.assertEqual(self.command("-ny", "app.tac"), ["-ny", "app.tac"])
        self.assertEqual(
            self.command("-n", "-r", "poll", "web", "--listen", "tcp:80"),
            ["-r", "poll", "web", "--listen", "tcp:80"],
        )

    def test_first(self) -> None:
        """
        What only the first process does goes.
        """
        self.assertEqual(
            self.command(
                "-n", "--pidfile", "a.pid", "--uid=33", "-g", "33", "-d", "/srv", "-y", "app.tac"
            ),
            ["-y", "app.tac"],
        )

    def test_log(self) -> None:
        """
        Each clone has a log of its own, as they would rotate each other's.
        """
        for arguments in (("-l", "a.log"), ("--logfile", "a.log"), ("--logfile=a.log",)):
            self.assertEqual(self.command(*arguments, name="clone1"), ["--logfile=a-clone1.log"])
            self.assertEqual(self.command(*arguments), ["--logfile=a.log"])
        self.assertEqual(self.command("-l", "-", name="clone1"), ["--logfile=-"])
        self.assertEqual(self.command("-l", "/v.d/a", name="clone1"), ["--logfile=/v.d/a-clone1"])

    def test_daemon(self) -> None:
        """
        The clones of a daemon that names no log have files beside twistd's own.
        """
        command = self.command("-y", "app.tac", name="clone1")
        self.assertEqual(command, ["--logfile=twistd-clone1.log", "-y", "app.tac"])
        self.assertEqual(self.command("-y", "a.tac"), ["--logfile=twistd.log", "-y", "a.tac"])
        for word in ("-n", "--nodaemon", "--syslog", "-noy", "-b"):
            self.assertNotIn("--logfile=twistd.log", self.command(word, "web"))

    def test_dashC(self) -> None:
        """
        The program may be code, or a module.
        """
        command = sameCommand(["-c", "-n", "web"], ["python3", "-c", "run()", "-n", "web"])
        self.assertEqual(command[1:], ["-c", "run()", "--nodaemon", "--pidfile=", "web"])


class FakeProcess:
    def __init__(self, pid: int, signals: list[str]) -> None:
        self.pid = pid
        self.signalProcess = signals.append


class FakeReactor:
    def __init__(self) -> None:
        self.spawned: list[tuple[Any, ...]] = []
        self.signals: list[str] = []

    def spawnProcess(self, protocol: Any, *arguments: Any, **named: Any) -> FakeProcess:
        self.spawned.append((protocol, *arguments, named))
        return FakeProcess(41 + len(self.spawned), self.signals)


class SpawnerTests(SynchronousTestCase):
    def test_spawn(self) -> None:
        """
        A process gets the listening sockets, and is told what it is.
        """
        reactor = FakeReactor()
        spawner = Spawner(reactor, lambda *_: ["program", "argument"])
        self.patch(os, "getcwd", lambda: "/elsewhere")
        ends: list[tuple[int, str]] = []
        pid = spawner.spawn(
            Birth("/run/app", 2, 1, False, {}),
            {"tcp-80": 9, "tcp-81": 11},
            lambda *e: ends.append(e),
        )
        self.assertEqual(pid, 42)
        protocol, path, command, environment, folder, named = reactor.spawned[0]
        self.assertEqual((path, command), ("program", ["program", "argument"]))
        self.assertEqual(folder, STARTED_IN)
        errors = named["childFDs"].pop(2)
        self.assertEqual(named, {"childFDs": {0: 0, 1: 1, 3: 9, 4: 11, 5: 2}})
        listeners = {"tcp-80": 3, "tcp-81": 4}
        self.assertEqual(Birth.take(environment), Birth("/run/app", 2, 1, False, listeners, 5))
        self.assertNotIn(ENVIRONMENT, environment)
        os.write(errors, b"txlb: the folder is wrong\n")
        protocol.processEnded(Failure(ProcessTerminated(1)))
        self.assertEqual(ends, [(42, "exit status 1: the folder is wrong")])
        self.assertRaises(OSError, os.fstat, errors)

    def test_kill(self) -> None:
        """
        A process is killed as long as it runs.
        """
        reactor = FakeReactor()
        spawner = Spawner(reactor, lambda *_: ["program"])
        pid = spawner.spawn(Birth("/run/app", -1, 0, True, {}), {}, lambda *_: None)
        spawner.kill(pid)
        reactor.spawned[0][0].processEnded(Failure(ProcessTerminated(None, 9)))
        spawner.kill(pid)
        self.assertEqual(reactor.signals, ["KILL"])

    def test_notStarted(self) -> None:
        """
        Nothing stays open if the system starts no process.
        """
        reactor = FakeReactor()
        self.patch(reactor, "spawnProcess", mock.Mock(side_effect=OSError(11, "no room")))
        opened = os.memfd_create("errors")
        self.patch(os, "memfd_create", mock.Mock(return_value=opened))
        spawner = Spawner(reactor, lambda *_: ["program"])
        birth = Birth("/run/app", -1, 0, True, {})
        self.assertRaises(OSError, spawner.spawn, birth, {}, lambda *_: None)
        self.assertRaises(OSError, os.fstat, opened)

    def test_ended(self) -> None:
        reactor = FakeReactor()
        ends: list[tuple[int, str]] = []
        Spawner(reactor, lambda *_: ["program"]).spawn(
            Birth("/run/app", -1, 0, True, {}), {}, lambda *e: ends.append(e)
        )
        reactor.spawned[0][0].processEnded(Failure(ProcessDone(0)))
        self.assertEqual(ends, [(42, "exit status 0")])
