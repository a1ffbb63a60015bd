"""
Tests for L{txlb.config._save}.
"""

from __future__ import annotations

import errno
import os
import stat
import time

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txlb.config import FileChanged, _save
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
        """
        A symbolic link is refused, with the file that it leads to. Nothing is
        written through it, and it is not replaced.
        """
        link = os.path.join(self.folder, "link.xml")
        writeFile(self.path, b"one")
        for target in ("c.xml", "nowhere.xml"):
            os.symlink(target, link)
            error = self.assertRaises(ConfigurationError, writeFile, link, b"two")
            where = os.path.realpath(os.path.join(self.folder, target))
            self.assertIn(
                f"it is a symbolic link, which is not written through; the file is {where}",
                str(error),
            )
            self.assertTrue(os.path.islink(link))
            os.unlink(link)
        self.assertEqual(self.read(), b"one")
        self.assertEqual(os.listdir(self.folder), ["c.xml"])

    def test_noFile(self) -> None:
        os.mkdir(self.path)
        error = self.assertRaises(ConfigurationError, writeFile, self.path, b"two")
        self.assertIn("it is no regular file", str(error))

    def test_leftover(self) -> None:
        """
        What a process that was killed has left is not in the way, whatever it is.
        """
        left = os.path.join(self.folder, ".c.xml.saving")
        with open(left, "wb") as file:
            file.write(b"half")
        writeFile(self.path, b"one")
        os.symlink("/etc/hostname", left)
        writeFile(self.path, b"two")
        self.assertEqual(self.read(), b"two")
        self.assertEqual(os.listdir(self.folder), ["c.xml"])

    def test_expected(self) -> None:
        """
        Somebody else has written it at the last moment.
        """
        writeFile(self.path, b"one")
        writeFile(self.path, b"two", expected=b"one")
        for there in (b"on", b"one!", None):
            if there is None:
                os.unlink(self.path)
            else:
                writeFile(self.path, there)
            error = self.assertRaises(
                FileChanged, writeFile, self.path, b"two", expected=b"one", backups=1
            )
            self.assertIn("another program has changed it", str(error))
        self.assertEqual(os.listdir(self.folder), [])

    def test_backups(self) -> None:
        """
        Old files are kept with the time behind their names, the latest of them.
        """
        times = iter(range(1, 100))
        self.patch(time, "strftime", lambda _: f"202601020304{next(times) // 2:02}")
        with open(os.path.join(self.folder, "c.xml-notes"), "wb"):
            pass
        self.assertIsNone(writeFile(self.path, b"0", backups=3))
        for number in range(1, 7):
            kept = writeFile(self.path, b"%d" % number, backups=3)
            assert kept is not None
            with open(kept, "rb") as file:
                self.assertEqual(file.read(), b"%d" % (number - 1))
        self.assertEqual(
            sorted(os.listdir(self.folder)),
            [
                "c.xml",
                "c.xml-20260102030402",
                "c.xml-20260102030402-2",
                "c.xml-20260102030403",
                "c.xml-notes",
            ],
        )

    def test_manyASecond(self) -> None:
        self.patch(time, "strftime", lambda _: "20260102030405")
        self.patch(_save, "MOST_A_SECOND", 2)
        for number in range(3):
            writeFile(self.path, b"%d" % number, backups=10)
        error = self.assertRaises(ConfigurationError, writeFile, self.path, b"", backups=10)
        self.assertIn("2 old files of this second", str(error))
        self.assertEqual(self.read(), b"2")
        self.assertEqual(len(os.listdir(self.folder)), 3)

    def test_stampIsLikeThat(self) -> None:
        """
        As version 1.1.0 called them.
        """
        writeFile(self.path, b"one")
        kept = writeFile(self.path, b"two", backups=1)
        self.assertRegex(kept or "", r"/c[.]xml-20\d{12}\Z")

    def test_ownerStays(self) -> None:
        if os.geteuid():
            self.skipTest("only root can give files away")
        writeFile(self.path, b"one")
        os.chown(self.path, 1234, 2345)
        os.chmod(self.path, 0o640)
        writeFile(self.path, b"two")
        status = os.stat(self.path)
        self.assertEqual((status.st_uid, status.st_gid, self.mode()), (1234, 2345, 0o640))

    def test_ownerCantStay(self) -> None:
        """
        Where the owner can't stay, nothing is written.
        """
        writeFile(self.path, b"one")
        os.chmod(self.path, 0o644)
        self.patch(os, "geteuid", lambda: 4321)

        def fchown(*_arguments: int) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        self.patch(os, "fchown", fchown)
        error = self.assertRaises(ConfigurationError, writeFile, self.path, b"two")
        self.assertIn("Operation not permitted", str(error))
        self.assertEqual(self.read(), b"one")
        self.assertEqual(os.listdir(self.folder), ["c.xml"])

    def test_anyFailure(self) -> None:
        """
        Whichever step fails, what was there stays and nothing is left behind.
        """

        def fails(*_arguments: object, **_settings: object) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        for step in ("open", "fsync", "link", "rename", "fchmod", "stat"):
            writeFile(self.path, b"one")
            patch = self.patch(os, step, fails)
            error = self.assertRaises(
                ConfigurationError, writeFile, self.path, b"two", expected=b"one", backups=3
            )
            patch.restore()
            self.assertIn("it can't be written: Input/output error", str(error))
            self.assertEqual(self.read(), b"one", step)
            self.assertEqual(os.listdir(self.folder), ["c.xml"], step)

    def test_oldOnesThatStay(self) -> None:
        """
        An old file that can't be removed is no reason to fail.
        """
        for number in range(3):
            writeFile(self.path, b"%d" % number, backups=5)
        there = len(os.listdir(self.folder))
        unlink = os.unlink

        def stubborn(name: str, dir_fd: int) -> None:
            if "-20" in name:
                raise PermissionError(errno.EPERM, "no")
            unlink(name, dir_fd=dir_fd)

        self.patch(os, "unlink", stubborn)
        writeFile(self.path, b"3", backups=1)
        self.assertEqual((self.read(), len(os.listdir(self.folder))), (b"3", there + 1))

    def test_untrusted(self) -> None:
        """
        Root does not write by way of a link that another user may have made, in place of the
        folder: another file of that name would be replaced.
        """
        if os.geteuid():
            raise SkipTest("it takes root")
        folder = os.path.abspath(self.folder)
        theirs, mine = (os.path.join(folder, name) for name in ("theirs", "mine"))
        os.mkdir(theirs)
        os.chown(theirs, 1234, 1234)
        os.mkdir(mine)
        writeFile(os.path.join(mine, "c.xml"), b"one")
        os.symlink(mine, os.path.join(theirs, "link"))
        path = os.path.join(theirs, "link", "c.xml")
        error = self.assertRaises(ConfigurationError, writeFile, path, b"two", expected=b"one")
        self.assertIn(f"{theirs}/link is a symbolic link in a folder that others", str(error))
        with open(os.path.join(mine, "c.xml"), "rb") as file:
            self.assertEqual(file.read(), b"one")

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
