"""
Tests for L{txlb.process._started}.
"""

from __future__ import annotations

import os
import sys

from twisted.trial.unittest import SynchronousTestCase

from txlb.process import StartedProcess


class StartedProcessTests(SynchronousTestCase):
    def start(self, code: str, *descriptors: int, **environment: str) -> StartedProcess:
        return StartedProcess(environment, descriptors, [sys.executable, "-c", code])

    def test_descriptorsAndVariables(self) -> None:
        """
        It gets the descriptors and variables that are named, and no other descriptors.
        """
        reader, writer = os.pipe()
        other, writerToo = os.pipe()
        for number in (reader, other, writerToo):
            self.addCleanup(os.close, number)
        code = (
            "import os\n"
            "try: os.fstat({other}); left = b'open'\n"
            "except OSError: left = b'closed'\n"
            "os.write({writer}, os.environb[b'WORD'] + b' ' + left)"
        )
        process = self.start(code.format(other=other, writer=writer), writer, WORD="value")
        self.assertGreater(process.pid, 0)
        os.close(writer)
        self.assertEqual(os.read(reader, 100), b"value closed")
        self.assertEqual(os.read(reader, 100), b"")
        process.kill()

    def test_saysWhy(self) -> None:
        """
        How it ended comes with what it said last.
        """
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        process = self.start(f"raise SystemExit('no such file {writer}')", writer)
        os.close(writer)
        # It ends after it has closed the pipe.
        self.assertEqual(os.read(reader, 1), b"")
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.assertTrue(process.hasEnded)
        self.assertEqual(process.kill(), f"exit status 1: no such file {writer}")

    def test_killed(self) -> None:
        process = self.start("import time; time.sleep(600)")
        self.assertFalse(process.hasEnded)
        self.assertEqual(process.kill(), "it was killed")
        self.assertTrue(process.hasEnded)

    def test_signal(self) -> None:
        process = self.start("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.assertEqual(process.kill(), "signal SIGKILL")

    def test_notStarted(self) -> None:
        before = set(os.listdir("/proc/self/fd"))
        with self.assertRaises(OSError):
            StartedProcess({}, (), ["/no/such/program"])
        self.assertEqual(set(os.listdir("/proc/self/fd")), before)
