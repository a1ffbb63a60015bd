"""
Tests for L{txlb.process._otherpidfile}.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txlb.process import OtherPidFile


class OtherPidFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(mode=0o700)
        self.path = self.folder / "pid"
        self.patch(sys, "argv", ["twistd", "-y", "app.tac"])
        self.addCleanup(os.chdir, Path.cwd())
        os.chdir(self.folder)

    def written(self, name: str = "pid", number: int | None = None) -> None:
        (self.folder / name).write_text(str(os.getpid() if number is None else number))

    def test_found(self) -> None:
        """
        The file is the one that the options name, or twistd's usual one, if its number is that of
        this process.
        """
        file = OtherPidFile()
        self.assertEqual(file.path, "")
        self.written("twistd.pid")
        self.assertEqual(file.path, str(self.folder / "twistd.pid"))
        self.written("twistd.pid", 1)
        self.assertEqual(file.path, "")
        self.written()
        for words in (["--pidfile", "pid"], [f"--pidfile={self.path}"]):
            self.patch(sys, "argv", ["twistd", *words])
            self.assertEqual(file.path, str(self.path))

    def test_takenOver(self) -> None:
        """
        It is written when the process before has ended, and removed when this one ends.
        """
        file = OtherPidFile()
        file.takeOver(str(self.path))
        self.assertTrue(file.isWanted)
        self.assertFalse(self.path.exists())
        file.write()
        self.assertFalse(file.isWanted)
        self.assertEqual(self.path.read_text(), str(os.getpid()))
        self.assertEqual(file.path, str(self.path))
        file.remove()
        self.assertFalse(self.path.exists())

    def test_left(self) -> None:
        """
        A file that another process writes next stays.
        """
        file = OtherPidFile()
        file.takeOver(str(self.path))
        file.write()
        file.leave()
        file.remove()
        self.assertTrue(self.path.exists())

    def test_othersStays(self) -> None:
        """
        The file of another process is not removed.
        """
        file = OtherPidFile()
        file.takeOver(str(self.path))
        self.written(number=1)
        file.remove()
        self.assertTrue(self.path.exists())
