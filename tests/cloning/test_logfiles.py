"""
Tests for L{txlb.cloning._logfiles}.
"""

from __future__ import annotations

import os
import sys

from twisted.logger import LogPublisher, textFileLogObserver
from twisted.python.logfile import LogFile
from twisted.trial.unittest import SynchronousTestCase

from txlb.cloning._logfiles import appendToLogs, reopenMoved


class ReopenTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = self.mktemp()
        self.file = LogFile.fromFullPath(self.path)
        self.addCleanup(self.file.close)
        self.publisher = LogPublisher(
            textFileLogObserver(sys.stdout), textFileLogObserver(self.file)
        )

    def test_there(self) -> None:
        """
        A file that is in its place stays open.
        """
        self.assertFalse(reopenMoved(self.publisher))

    def test_moved(self) -> None:
        """
        What is written after a move goes to a new file, whether another program has made it
        or not.
        """
        for number, create in enumerate((False, True)):
            os.rename(self.path, f"{self.path}.old{number}")
            if create:
                open(self.path, "w").close()
            self.file.write(f"before {number}")
            self.assertTrue(reopenMoved(self.publisher))
            self.file.write(f"after {number}")
            with open(self.path) as file:
                self.assertEqual(file.read(), f"after {number}")

    def test_two(self) -> None:
        """
        Two processes write to one file without loss.
        """
        other = LogFile.fromFullPath(self.path)
        self.addCleanup(other.close)
        appendToLogs(self.publisher)
        other.write("one\n")
        self.file.write("two\n")
        with open(self.path) as file:
            self.assertEqual(file.read(), "one\ntwo\n")
