"""
Tests for L{txlb.cloning._init}.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from txlb.cloning import _init


class InitTests(SynchronousTestCase):
    def run_(self, code: str) -> int:
        command = [sys.executable, "-S", _init.__file__, sys.executable, "-c", code]
        return subprocess.run(command, check=False, timeout=60).returncode

    def test_status(self) -> None:
        self.assertEqual(self.run_("raise SystemExit(7)"), 7)

    def test_signal(self) -> None:
        """
        An end by a signal is told as shells do.
        """
        self.assertEqual(self.run_("import os; os.kill(os.getpid(), 9)"), 128 + 9)

    def test_passed(self) -> None:
        """
        Signals are passed on.
        """
        code = "import os, signal; os.kill(os.getppid(), signal.SIGTERM); signal.pause()"
        self.assertEqual(self.run_(code), 128 + signal.SIGTERM)

    def test_children(self) -> None:
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        try:
            self.assertIn(child.pid, _init.children())
        finally:
            child.communicate(b"\n", timeout=60)

    def test_become(self) -> None:
        replaced: list[list[str]] = []
        self.patch(os, "execv", lambda _path, words: replaced.append(words))
        _init.become(["program", "argument"])
        self.assertEqual(replaced, [[sys.executable, "-S", _init.__file__, "program", "argument"]])
