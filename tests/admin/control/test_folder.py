"""
Tests for L{txlb.admin.control._folder}.
"""

from __future__ import annotations

import os
import stat
import tempfile

from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase

from txlb.admin.control._folder import prepareFolder
from txlb.errors import ListenError


class PrepareFolderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="txlb")
        self.addCleanup(FilePath(self.folder).remove)
        self.path = os.path.join(self.folder, "run", "control")

    def refused(self, path: str | None = None) -> str:
        return str(self.assertRaises(ListenError, prepareFolder, path or self.path))

    def made(self, mode: int) -> str:
        folder = os.path.dirname(self.path)
        os.mkdir(folder)
        os.chmod(folder, mode)
        return folder

    def test_missing(self) -> None:
        """
        It is made, for this user alone whatever the umask is.
        """
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        prepareFolder(self.path)
        mode = stat.S_IMODE(os.stat(os.path.dirname(self.path)).st_mode)
        self.assertEqual(mode, 0o700)

    def test_there(self) -> None:
        """
        Others may look into one that is there.
        """
        self.made(0o755)
        prepareFolder(self.path)

    def test_writable(self) -> None:
        """
        They may not write to it.
        """
        folder = self.made(0o775)
        self.assertEqual(
            self.refused(),
            f"can't listen on unix:{self.path}: others can write to its folder {folder} (mode "
            f"0775); take a folder of its own, or change that with: chmod 700 {folder}",
        )

    def test_others(self) -> None:
        self.made(0o700)
        self.patch(os, "geteuid", lambda: 12345)
        if os.getuid():
            self.assertIn("belongs to another user", self.refused())
        else:
            os.chown(os.path.dirname(self.path), 12346, -1)
            self.assertIn("belongs to another user (uid 12346)", self.refused())

    def test_symbolicLink(self) -> None:
        folder = self.made(0o700)
        os.symlink("/nowhere", os.path.join(folder, "control"))
        self.assertIn("there is a symbolic link of this name", self.refused())

    def test_notMade(self) -> None:
        with open(os.path.join(self.folder, "run"), "w"):
            pass
        self.assertIn("can't be made", self.refused())

    def test_tooLong(self) -> None:
        self.assertIn("at most 107 bytes", self.refused("/" + "x" * 107))
