"""
Tests for L{txlb.cloning._startfiles}.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from txlb.cloning._startfiles import StartFile, StartFiles
from txlb.process import Folder


class StartFilesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = tempfile.mkdtemp(prefix="txlb-")
        self.addCleanup(shutil.rmtree, self.path)
        folder = Folder.at(self.path)
        self.addCleanup(folder.close)
        self.files = StartFiles(folder)
        self.other = StartFiles(folder)

    def begin(self, slot: int) -> tuple[str, int]:
        name, descriptor = self.files.begin(slot)
        self.addCleanup(lambda: os.close(descriptor))
        return name, descriptor

    def process(self, *descriptors: int) -> subprocess.Popen[bytes]:
        """
        Start a process that inherits descriptors, and ends with its standard input.
        """
        process = subprocess.Popen(
            (sys.executable, "-S", "-c", "input()"),
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=descriptors,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        assert process.stdin is not None
        self.addCleanup(process.stdin.close)
        return process

    def test_inherited(self) -> None:
        """
        A start is under way as long as the process runs, whatever becomes of the manager.
        """
        name, descriptor = self.files.begin(3)
        process = self.process(descriptor)
        self.files.started(descriptor, process.pid)
        os.close(descriptor)
        self.assertEqual(self.other.underWay(), [StartFile(name, 3, process.pid)])
        process.kill()
        process.wait()
        self.assertFalse(self.other.isUnderWay(name))
        self.assertEqual(self.other.underWay(), [])
        self.assertEqual(os.listdir(self.path), [])

    def test_notStarted(self) -> None:
        """
        A manager that dies before it has started the process leaves nothing that counts.
        """
        _, descriptor = self.files.begin(-1)
        os.close(descriptor)
        self.assertEqual(self.other.underWay(), [])

    def test_several(self) -> None:
        """
        Starts in the same place have different files, and other files of the folder stay.
        """
        open(os.path.join(self.path, "start.old"), "w").close()
        first, _ = self.begin(-1)
        second, _ = self.begin(-1)
        found = {StartFile(first, -1, -1), StartFile(second, -1, -1)}
        self.assertEqual(set(self.other.underWay()), found)
        self.files.forget(first)
        self.files.forgetOwn()
        self.assertEqual(os.listdir(self.path), ["start.old"])

    def test_strangers(self) -> None:
        """
        Files of other processes are not this one's to remove.
        """
        with mock.patch("os.getpid", return_value=7):
            name, _ = self.begin(0)
        self.files.forgetOwn()
        self.assertEqual(os.listdir(self.path), [name])

    def test_kill(self) -> None:
        """
        The process is killed if it has the file.
        """
        name, descriptor = self.begin(1)
        self.files.kill(name)
        stranger, process = self.process(), self.process(descriptor)
        self.files.started(descriptor, stranger.pid)
        self.other.kill(name)
        self.assertIsNone(stranger.poll())
        self.files.started(descriptor, process.pid)
        self.other.kill(name)
        self.assertEqual(process.wait(60), -signal.SIGKILL)
        # It is gone.
        self.other.kill(name)
        with mock.patch("signal.pidfd_send_signal", side_effect=ProcessLookupError):
            self.files.started(descriptor, os.getpid())
            self.other.kill(name)

    def test_noFiles(self) -> None:
        """
        A folder that is full, is gone, or has no locks keeps no process from its start.
        """
        full = OSError(28, "No space left on device")
        with mock.patch("fcntl.flock", side_effect=full):
            self.assertEqual(self.files.begin(0), ("", -1))
        self.assertEqual(os.listdir(self.path), [])
        with mock.patch("os.open", side_effect=full):
            self.assertEqual(self.files.begin(0), ("", -1))
            self.assertEqual(self.files.underWay(), [])
        self.files.started(-1, 1)
