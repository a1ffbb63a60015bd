"""
Administrators of cloned applications: the C{txlb} command, processes of twistd, and kills.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import SkipTest

from tests.integration.cloned import CloningTestCase
from tests.integration.programs import PATIENCE, Program, environment, waitUntil
from tests.integration.support import TWISTD, Load, connect, request

#: The user nobody.
NOBODY = 65534


class ControlCase(CloningTestCase):
    @property
    def control(self) -> str:
        return os.path.join(self.place, "control")

    @property
    def group(self) -> str:
        return f"clones/tcp-127.0.0.1-{self.port}"

    def txlb(self, *words: str, status: int = 0) -> str:
        """
        Run the command, and return what it says.
        """
        done = subprocess.run(
            [sys.executable, "-m", "txlb", "-s", self.control, *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * PATIENCE,
            env=environment(),
        )
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.txlb("status", "--json"))
        return status

    def processes_(self) -> list[dict[str, Any]]:
        """
        The manager and the clones. A process that stands by may come and go.
        """
        return [row for row in self.status()["processes"] if row["role"] != "standby"]

    def roles(self) -> list[tuple[str, str]]:
        return [(row["role"], row["state"]) for row in self.processes_()]

    def settle(self) -> list[dict[str, Any]]:
        """
        Wait until a process manages that serves nothing, and all clones are there.
        """
        wanted = [("manager", "manages"), *[("clone", "serves")] * self.processes]

        def isThere() -> bool:
            found = self.rowsOrNone()
            return found is not None and [(row["role"], row["state"]) for row in found] == wanted

        waitUntil(isThere)
        waitUntil(lambda: self.processes_()[0]["slot"] == -1)
        return self.processes_()

    def rowsOrNone(self) -> list[dict[str, Any]] | None:
        """
        The rows, if a process answers at this moment.
        """
        try:
            return self.processes_()
        except self.failureException:
            return None


class StatusTests(ControlCase):
    def test_rows(self) -> None:
        """
        There is a row for each process, after the start, after the manager was killed, and
        after a roll.
        """
        self.begin()
        manager, *clones = self.settle()
        self.assertEqual(manager["pid"], self.program.process.pid)
        self.assertEqual({row["pid"] for row in clones}, self.joined())
        self.assertEqual([row["slot"] for row in clones], [0, 1])
        self.assertEqual({row["generation"] for row in (manager, *clones)}, {0})
        # Memory comes with the first answer to the manager's question.
        waitUntil(lambda: all(row["memory"] for row in self.processes_()))
        for row in self.processes_():
            self.assertGreater(row["memory"], 8 << 20)
            self.assertGreaterEqual(row["lag"], 0.0)
        mode = os.stat(self.control).st_mode & 0o777
        self.assertEqual((mode, os.stat(self.place).st_mode & 0o777), (0o600, 0o700))

        os.kill(manager["pid"], signal.SIGKILL)
        after, *others = self.settle()
        self.assertNotEqual(after["pid"], manager["pid"])
        self.assertEqual({row["pid"] for row in others}, {row["pid"] for row in clones})

        self.assertIn("generation 1 serves", self.txlb("roll"))
        last, *new = self.settle()
        self.assertEqual(last["pid"], after["pid"])
        self.assertEqual({row["generation"] for row in new}, {1})
        self.assertFalse({row["pid"] for row in new} & {row["pid"] for row in others})
        table = self.txlb("status")
        for row in (last, *new):
            self.assertRegex(table, rf"{row['name']} +{row['role']} +{row['state']} +{row['pid']} ")
        waitUntil(
            lambda: any(
                (row["role"], row["state"]) == ("standby", "waits")
                for row in self.status()["processes"]
            )
        )
        self.assertIn("host-added", self.txlb("events"))
        self.assertIn("any client would get clone", self.txlb("explain", self.group))

    def test_connections(self) -> None:
        """
        Connections are counted for each process, and for it as a host.
        """
        self.begin()
        clients = [connect(self.port) for _ in range(4)]
        for each in clients:
            self.addCleanup(each.close)
        waitUntil(lambda: [row["connections"] for row in self.processes_()] == [0, 2, 2])
        [service] = self.status()["services"]
        [group] = service["groups"]
        self.assertEqual([host["active"] for host in group["hosts"]], [2, 2])

    def test_end(self) -> None:
        """
        The socket goes with the application.
        """
        program = self.begin()
        program.stop()
        self.assertFalse(os.path.exists(self.control))
        self.assertIn("is the balancer running?", self.txlb("status", status=3))


class CommandTests(ControlCase):
    def test_drain(self) -> None:
        """
        A clone that is drained gets nothing new, its connections go on; and so it stays when
        the manager is killed.
        """
        self.begin()
        self.settle()
        held: dict[bytes, socket.socket] = {}
        while len(held) < self.processes:
            sock = connect(self.port)
            self.addCleanup(sock.close)
            held[self.ask(sock)] = sock
        self.assertIn("drain", self.txlb("drain", f"{self.group}/clone0"))
        self.assertEqual(self.processes_()[1]["state"], "drain")
        self.assertEqual(self.names(6), {b"clone1"})
        self.assertEqual(self.ask(held[b"clone0"]), b"clone0")
        manager = self.processes_()[0]["pid"]
        os.kill(manager, signal.SIGKILL)
        self.assertEqual(self.names(20), {b"clone1"})
        waitUntil(
            lambda: (
                [(row["role"], row["state"]) for row in self.rowsOrNone() or ()]
                == [("manager", "manages"), ("clone", "drain"), ("clone", "serves")]
            )
        )
        self.assertEqual(self.names(6), {b"clone1"})
        self.assertEqual(self.ask(held[b"clone0"]), b"clone0")
        self.txlb("ready", f"{self.group}/clone0")
        self.untilServed({b"clone0", b"clone1"})

    def ask(self, sock: socket.socket) -> bytes:
        """
        Ask on a connection that stays, and return the name of the clone.
        """
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        data = b""
        while b"first clone" not in data:
            data += sock.recv(1000)
        return data.partition(b"first ")[2].split()[0]

    def names(self, count: int) -> set[bytes]:
        """
        The clones that serve new connections.
        """
        return {request(connect(self.port)).split()[-2] for _ in range(count)}

    def untilServed(self, wanted: set[bytes]) -> None:
        """
        Connect until all of these clones have served. No other one may do so; but one that has just
        been busy may get none of the next few.
        """
        found: set[bytes] = set()

        def allServed() -> bool:
            found.update(self.names(2))
            self.assertLessEqual(found, wanted)
            return found == wanted

        waitUntil(allServed)

    def test_number(self) -> None:
        """
        A clone is added and another one removed; no client is harmed.
        """
        self.begin()
        self.settle()
        with Load(lambda: self.port, 2) as load:
            waitUntil(lambda: load.done > 20)
            self.assertIn("3 clones are wanted", self.txlb("add", f"{self.group}/clone2"))
            waitUntil(lambda: self.roles()[1:] == [("clone", "serves")] * 3)
            self.assertIn("2 clones are wanted", self.txlb("remove", f"{self.group}/clone0"))
            waitUntil(
                lambda: (
                    [row["name"] for row in self.processes_()] == ["manager", "clone1", "clone2"]
                )
            )
            waitUntil(lambda done=load.done: load.done > done + 20)  # type: ignore[misc]
        self.assertEqual((load.refused, load.failures), (0, []))
        self.untilServed({b"clone1", b"clone2"})
        self.assertIn("there is a clone1", self.txlb("add", f"{self.group}/clone1", status=1))

    def test_upgrade(self) -> None:
        """
        A new process manages, and the clones stay.
        """
        self.begin()
        before = self.settle()
        with Load(lambda: self.port, 2) as load:
            waitUntil(lambda: load.done > 20)
            said = self.txlb("upgrade")
            after = self.settle()
            waitUntil(lambda done=load.done: load.done > done + 20)  # type: ignore[misc]
        self.assertEqual((load.refused, load.failures), (0, []))
        self.assertEqual(said, f"process {after[0]['pid']} manages\n")
        self.assertNotEqual(before[0]["pid"], after[0]["pid"])
        self.assertEqual(
            [row["pid"] for row in before[1:]], sorted(row["pid"] for row in after[1:])
        )
        waitUntil(lambda: not self.isOurs(before[0]["pid"]))

    def test_broken(self) -> None:
        """
        A release that does not start is refused with its reason, by C{roll} and by
        C{upgrade}, and all go on.
        """
        self.begin()
        before = self.settle()
        self.application("broken", "raise RuntimeError('the lamp is broken')")
        for command in ("roll", "upgrade"):
            self.assertIn("the lamp is broken", self.txlb(command, status=1))
        self.assertEqual(
            [row["pid"] for row in self.settle()],
            [row["pid"] for row in before],
        )
        self.assertIn(b"first", request(connect(self.port)))

    def test_stranger(self) -> None:
        """
        A process of another user is refused, even if the modes of the files let it in.
        """
        if os.getuid():
            raise SkipTest("it takes root to be two users")
        self.begin()
        self.settle()
        code = (
            "import os, socket, sys\n"
            f"os.setgid({NOBODY})\n"
            f"os.setuid({NOBODY})\n"
            "sock = socket.socket(socket.AF_UNIX)\n"
            "try:\n"
            "    sock.connect(sys.argv[1])\n"
            "except PermissionError:\n"
            "    sys.exit('no permission')\n"
            "sock.settimeout(30)\n"
            "sys.exit('closed' if sock.recv(1) == b'' else 'open')\n"
        )

        def asStranger() -> str:
            done = subprocess.run(
                [sys.executable, "-c", code, self.control],
                capture_output=True,
                text=True,
                check=False,
                timeout=2 * PATIENCE,
            )
            return done.stderr.strip()

        self.assertEqual(asStranger(), "no permission")
        Path(self.place).parent.chmod(0o755)
        os.chmod(self.place, 0o755)
        self.addCleanup(os.chmod, self.place, 0o700)
        os.chmod(self.control, 0o666)
        self.assertEqual(asStranger(), "closed")
        self.program.waitFor("was refused: this socket is for another user")
        self.assertEqual(len(self.processes_()), 3)


class LogTests(ControlCase):
    """
    Each process has a log file.
    """

    def begin(self) -> Program:
        tac = self.application()
        command = (*TWISTD, "-n", "-l", self.folder / "app.log", "-y", tac)
        self.program = Program(command, self.folder, environment())
        self.addCleanup(self.endAll)
        self.settle()
        return self.program

    def endAll(self) -> None:
        for pid in self.ours():
            os.kill(pid, signal.SIGTERM)
        self.program.stop()
        waitUntil(lambda: not self.ours())

    def log(self, name: str = "app.log") -> str:
        try:
            return (self.folder / name).read_text("utf-8")
        except FileNotFoundError:
            return ""

    def test_reopened(self) -> None:
        """
        SIGUSR1 to the manager opens its log anew, and those of the clones, if they were moved.
        It ends no process. Lines tell which process they are of.
        """
        program = self.begin()
        self.assertRegex(self.log(), r"\[manager g0 txlb[^]]*\] clone1 has joined")
        names = ("app", "app-clone0", "app-clone1")
        waitUntil(lambda: all(self.log(f"{name}.log") for name in names))
        for name in names:
            os.rename(self.folder / f"{name}.log", self.folder / f"{name}.moved")
        os.kill(program.process.pid, signal.SIGUSR1)
        waitUntil(lambda: all((self.folder / f"{name}.log").exists() for name in names))
        self.txlb("drain", f"{self.group}/clone0")
        waitUntil(lambda: "ready -> drain" in self.log())
        self.txlb("ready", f"{self.group}/clone0")
        # Without a move, twistd's own handler rotates it.
        os.kill(program.process.pid, signal.SIGUSR1)
        waitUntil((self.folder / "app.log.1").exists)
        waitUntil((self.folder / "app-clone1.log.1").exists)
        self.assertEqual(self.roles(), [("manager", "manages"), *[("clone", "serves")] * 2])
        pid = self.processes_()[1]["pid"]
        os.kill(pid, signal.SIGTERM)
        waitUntil(lambda: "[clone 0/g0 twisted" in self.log("app-clone0.log"))
        self.settle()

    def test_heir(self) -> None:
        """
        The old manager and the new one write to one file, and no line is lost.
        """
        program = self.begin()
        self.txlb("upgrade")
        waitUntil(lambda: program.process.poll() is not None)
        manager = self.settle()[0]["pid"]
        log = self.log()
        for pid in (program.process.pid, manager):
            self.assertIn(f"process {pid} manages 2 clones", log)
        self.assertIn("another process manages: this one ends", log)
        self.assertNotIn("\0", log)
        for line in log.splitlines():
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\S+ \[")
