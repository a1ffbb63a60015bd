"""
Tests for L{txlb.config._save}.
"""

from __future__ import annotations

import errno
import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from txlb.config._save import writeFile
from txlb.errors import ConfigurationError


class WriteFileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = self.mktemp()
        os.mkdir(self.folder)
        self.path = os.path.join(self.folder, "c.xml")

    def read(self) -> bytes:
        with open(self.path, "rb") as file:
            return file.read()

    def mode(self) -> int:
        return stat.S_IMODE(os.stat(self.path).st_mode)

    def test_new(self) -> None:
        """
        A new file is nobody else's business.
        """
        writeFile(self.path, b"one")
        self.assertEqual(self.read(), b"one")
        self.assertEqual(self.mode(), 0o600)
        self.assertEqual(os.listdir(self.folder), ["c.xml"])

    def test_replaced(self) -> None:
        """
        Whoever could read it can read it now.
        """
        writeFile(self.path, b"one")
        os.chmod(self.path, 0o640)
        writeFile(self.path, b"two")
        self.assertEqual(self.read(), b"two")
        self.assertEqual(self.mode(), 0o640)

    def test_readerKeepsWhatItHas(self) -> None:
        """
        The old file is not written over: who has it open reads on.
        """
        writeFile(self.path, b"one")
        with open(self.path, "rb") as file:
            writeFile(self.path, b"two")
            self.assertEqual(file.read(), b"one")

    def test_link(self) -> None:
        link = os.path.join(self.folder, "link.xml")
        writeFile(self.path, b"one")
        os.symlink("c.xml", link)
        writeFile(link, b"two")
        self.assertTrue(os.path.islink(link))
        self.assertEqual(self.read(), b"two")

    def test_noFolder(self) -> None:
        path = os.path.join(self.folder, "nowhere", "c.xml")
        error = self.assertRaises(ConfigurationError, writeFile, path, b"")
        self.assertEqual(str(error), f"{path}: it can't be written: No such file or directory")

    def test_failure(self) -> None:
        """
        What was there stays, and nothing else is left behind.
        """
        writeFile(self.path, b"one")

        def fsync(_descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        self.patch(os, "fsync", fsync)
        error = self.assertRaises(ConfigurationError, writeFile, self.path, b"two")
        self.assertIn("No space left", str(error))
        self.assertEqual(self.read(), b"one")
        self.assertEqual(os.listdir(self.folder), ["c.xml"])
