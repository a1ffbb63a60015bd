"""
A balancer that is upgraded, so that its process changes.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration.programs import PATIENCE, ROOT, Program, environment, waitUntil
from tests.integration.support._case import TWISTD, IntegrationTestCase
from tests.integration.support._usage import catches

HERE = Path(__file__).parent.parent


def isGone(pid: int) -> bool:
    """
    Tell whether a process has ended; a child that nothing waits for has as well.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


class StreamClients:
    """
    Clients that look at each byte: see C{stream_clients.py}.
    """

    def __init__(self, where: str | int, **numbers: int) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.integration.stream_clients",
                str(where),
                *(f"{kind}={count}" for kind, count in numbers.items()),
            ],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "running\n"

    def seen(self) -> dict[str, Any]:
        """
        End them, and tell what they have seen.
        """
        told, _ = self.process.communicate("", PATIENCE)
        found: dict[str, Any] = json.loads(told)
        return found

    def stop(self) -> None:
        """
        End them at once.
        """
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class UpgradeTestCase(IntegrationTestCase):
    """
    A test of upgrades. The process is the one that the pid file names.
    """

    #: What the balancer writes to goes on in each process.
    program: Program

    def setUp(self) -> None:
        super().setUp()
        self.short = self.shortFolder()
        self.control = self.short / "control"
        self.pidFile = self.folder / "balancer.pid"

    def balancer(
        self, config: str, *options: str, before: tuple[str, ...] = (), **environ: str
    ) -> None:
        """
        Start the balancer.

        @param config: what the file says in C{config} besides the control socket.
        @param options: of twistd.
        @param before: a command that starts it, with that command's arguments.
        @param environ: variables for it.
        """
        self.rewrite(config)
        # That of a process that was killed; a new one shows that the balancer listens.
        self.control.unlink(missing_ok=True)
        state = self.folder / "state"
        state.mkdir(mode=0o700, exist_ok=True)
        command = (*TWISTD[:-1], f"--pidfile={self.pidFile}", *(options or ("-n",)))
        self.program = Program(
            (*before, *command, "txlb", "-c", self.folder / "config.xml"),
            self.folder,
            environment(STATE_DIRECTORY=str(state), **environ),
        )
        self.addCleanup(self.stopBalancer)
        waitUntil(lambda: self.isServing or self.program.process.poll() is not None)
        # A daemon has left the process that was started.
        allowed = {None, 0} if options else {None}
        self.assertIn(self.program.process.poll(), allowed, self.program.output)

    def rewrite(self, config: str) -> None:
        """
        Write the file of the balancer.
        """
        self.write(
            "config.xml",
            f'<config>{config}<control socket="{self.control}"/>'
            f'<logging file="{self.folder}/txlb.log" connections="yes"/></config>',
        )

    @property
    def pid(self) -> int:
        """
        The process that serves; 0 for none.
        """
        try:
            return int(self.pidFile.read_text(encoding="ascii") or 0)
        except OSError:
            return 0

    @property
    def isServing(self) -> bool:
        """
        Whether it answers signals and commands.
        """
        with contextlib.suppress(OSError):
            return bool(self.pid and catches(self.pid, signal.SIGUSR2) and self.control.exists())
        return False

    @property
    def log(self) -> str:
        """
        The balancer's own log.
        """
        return (self.folder / "txlb.log").read_text(encoding="utf-8")

    def txlb(self, *words: str) -> subprocess.CompletedProcess[str]:
        """
        Run C{txlb} with the balancer's control socket.
        """
        return subprocess.run(
            [sys.executable, "-m", "txlb", *words, "-s", str(self.control)],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )

    def upgrade(self) -> int:
        """
        Upgrade by C{txlb upgrade}, and wait until the process before is gone.

        @return: how many connections have moved.
        """
        before = self.pid
        done = self.txlb("upgrade", "--json")
        self.assertEqual(done.returncode, 0, done.stderr + self.program.output)
        answer = json.loads(done.stdout)
        row = answer[0] if isinstance(answer, list) else answer
        waitUntil(lambda: self.pid == row["pid"])
        waitUntil(lambda: isGone(before))
        return int(row["moved"])

    def clients(self, where: str | int, **numbers: int) -> StreamClients:
        """
        Start clients, which are stopped at the end.
        """
        clients = StreamClients(where, **numbers)
        self.addCleanup(clients.stop)
        return clients

    def host(self, where: str | int) -> Program:
        """
        Start a host of these clients.
        """
        host = self.start(sys.executable, HERE / "stream_host.py", str(where))
        if isinstance(where, int):
            host.waitForPort(where)
        else:
            waitUntil(lambda: os.path.exists(where))
        return host

    def stopBalancer(self) -> None:
        """
        Stop the process that serves. There must be no trouble in the log.
        """
        pid = self.pid
        if pid and not isGone(pid):
            os.kill(pid, signal.SIGTERM)
            waitUntil(lambda: isGone(pid))
        self.stopTwistd(self.program)
