"""
Cloned applications as the first process of a container, and what their processes inherit.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.integration.cloned import CloningTestCase
from tests.integration.programs import PATIENCE, Program, environment, waitUntil
from tests.integration.support import TWISTD, connect, request

#: Runs a program as the first process of a namespace of processes.
ISOLATED = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc")


class ContainerTests(CloningTestCase):
    def test_life(self) -> None:
        """
        A small init starts the manager as its child. It goes on if the manager is killed,
        passes signals on to the next one, and ends when all processes have.
        """
        self.need("unshare")
        tried = subprocess.run(
            (*ISOLATED, "true"), check=False, capture_output=True, text=True, timeout=PATIENCE
        )
        if tried.returncode:
            raise SkipTest(f"this machine allows no such namespace: {tried.stderr.strip()}")
        command = (*ISOLATED, *TWISTD, "-n", "-y", self.application())
        self.program = program = Program(command, self.folder, environment())
        self.addCleanup(program.stop)
        program.waitFor("stands by to manage")
        [init] = self.childrenOf(program.process.pid)
        self.assertIn("_init.py", Path(f"/proc/{init}/cmdline").read_text())
        [manager] = self.childrenOf(init)
        self.assertIn(b"clone", request(connect(self.port)))

        os.kill(manager, signal.SIGKILL)
        waitUntil(lambda: len(re.findall("stands by to manage", program.output)) == 2)
        self.assertIn(b"clone", request(connect(self.port)))
        os.kill(init, signal.SIGHUP)
        program.waitFor("generation 1 serves")
        os.kill(init, signal.SIGTERM)
        waitUntil(lambda: program.process.poll() is not None)
        waitUntil(lambda: not self.ours())

    def test_broken(self) -> None:
        """
        The init ends with the exit status of an application that does not start.
        """
        self.need("unshare")
        self.processes = 0
        program = Program((*ISOLATED, *TWISTD, "-n", "-y", self.application()), self.folder)
        self.addCleanup(program.stop)
        waitUntil(lambda: program.process.poll() is not None)
        self.assertEqual(program.process.returncode, 1)

    def childrenOf(self, pid: int) -> list[int]:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
        return [int(each) for each in found.split()]


class InheritedTests(CloningTestCase):
    def test_descriptors(self) -> None:
        """
        A clone and the process that stands by inherit the standard descriptors and the
        listening socket, and nothing else of the manager's.
        """
        self.begin()
        manager = self.targets(self.manager())
        for pid in (*self.joined(), self.standby()):
            shared = self.targets(pid) & manager
            listening = {each for each in shared if each.startswith("socket:")}
            self.assertEqual(len(listening), 1)
            folder = {each for each in shared if each.startswith(self.place)}
            # Each has opened the folder and its locks itself.
            self.assertEqual(len(folder), 3)
            streams = {os.readlink(f"/proc/{pid}/fd/{number}") for number in (0, 1, 2)}
            rest = shared - listening - folder - streams
            self.assertEqual({each for each in rest if "anon_inode" not in each}, set())

    def targets(self, pid: int) -> set[str]:
        """
        Find what the descriptors of a process are.
        """
        found = set()
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
            except OSError:
                continue  # it was closed meanwhile
        return found
