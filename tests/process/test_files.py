"""
Tests for L{txlb.process._files}.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txlb.process import UnusableFile, readSmallFile


class SmallFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def test_content(self) -> None:
        self.path.write_bytes(b"1234")
        self.path.chmod(0o640)
        data, status = readSmallFile(str(self.path), 4)
        self.assertEqual((data, status.st_mode & 0o777), (b"1234", 0o640))

    def test_long(self) -> None:
        self.path.write_bytes(b"1234")
        error = self.assertRaises(UnusableFile, readSmallFile, str(self.path), 3)
        self.assertEqual(str(error), "is longer than 3 bytes")

    def test_otherThings(self) -> None:
        self.path.mkdir()
        self.assertRaises(UnusableFile, readSmallFile, str(self.path), 9)
        self.path.rmdir()
        os.mkfifo(self.path)
        self.assertRaises(UnusableFile, readSmallFile, str(self.path), 9)

    def test_nothing(self) -> None:
        self.assertRaises(FileNotFoundError, readSmallFile, str(self.path), 9)

    def test_flags(self) -> None:
        self.path.symlink_to("/dev/null")
        self.assertRaises(OSError, readSmallFile, str(self.path), 9, os.O_NOFOLLOW)

    def test_nothingStaysOpen(self) -> None:
        """
        Whatever lies there.
        """
        self.path.mkdir()
        before = os.listdir("/proc/self/fd")
        self.assertRaises(UnusableFile, readSmallFile, str(self.path), 9)
        self.assertEqual(os.listdir("/proc/self/fd"), before)
