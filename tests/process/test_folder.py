"""
Tests for L{txlb.process.Folder}.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from tests.process.support import NOBODY, FolderCase
from txlb.process import Folder, UntrustedPath, isExposed, ownFolderRemedy


class RootTests(FolderCase):
    """
    The way of root.
    """

    def setUp(self) -> None:
        super().setUp()
        self.needRoot()

    def holding(self, path: str) -> tuple[str, str, bool]:
        folder, name = Folder.holding(path)
        with folder:
            return folder.path, name, folder.exposed

    def test_plain(self) -> None:
        """
        A way that has no links is gone, and ends in a folder whose names are used by it.
        """
        self.folder("a")
        self.assertEqual(self.holding(self.path("a", "file")), (self.path("a"), "file", False))
        folder, name = Folder.holding(self.path("a", "file"))
        with folder:
            self.assertIsNone(folder.status(name))
            os.rename(self.path("a"), self.path("b"))
            os.close(folder.open(name, os.O_WRONLY | os.O_CREAT))
            self.assertIsNotNone(folder.status(name))
        self.assertTrue(os.path.exists(self.path("b", "file")))

    def test_links(self) -> None:
        """
        Links that only root can have made are followed: relative ones, those that go up, absolute
        ones, and one that is the file's own name.
        """
        self.folder("a")
        self.folder("a", "b")
        for number, target in enumerate(("a/b", "./a/../a/b", self.path("a", "b"))):
            os.symlink(target, self.path(f"link{number}"))
            found = self.holding(self.path(f"link{number}", "file"))
            self.assertEqual(found, (self.path("a", "b"), "file", False), target)
        os.symlink("a/b/other", self.path("file"))
        self.assertEqual(self.holding(self.path("file")), (self.path("a", "b"), "other", False))

    def test_untrusted(self) -> None:
        """
        A link in a folder that others can write to is not followed: the folder is another
        user's, a group's, or everybody's. That the link itself is root's does not matter, as a
        link of root's can be moved.
        """
        self.folder("target")
        for name, uid, gid, mode in (
            ("users", NOBODY, 0, 0o755),
            ("groups", 0, NOBODY, 0o775),
            ("everybodys", 0, 0, 0o757),
            ("sticky", 0, 0, 0o1777),
        ):
            path = self.folder(name, mode=mode)
            os.chown(path, uid, gid)
            os.chmod(path, mode)
            os.symlink(self.path("target"), self.path(name, "link"))
            for way in ((name, "link"), (name, "link", "file")):
                error = self.assertRaises(UntrustedPath, Folder.holding, self.path(*way))
                self.assertIn(f"{path}/link is a symbolic link", str(error))
                self.assertTrue(isExposed(self.path(*way)))
            self.assertRaises(UntrustedPath, Folder.at, self.path(name, "link"))

    def test_exposed(self) -> None:
        """
        A way is exposed if another user can put other things there, be it by renaming a folder
        above it. In a sticky folder only the owner can rename a thing.
        """
        self.folder("mine")
        self.folder("mine", "theirs", uid=NOBODY)
        self.folder("mine", "theirs", "mine")
        self.folder("sticky", mode=0o1777)
        self.folder("sticky", "mine")
        self.folder("sticky", "theirs", uid=NOBODY)
        self.folder("group", mode=0o775)
        for way, exposed in (
            (("mine", "file"), False),
            (("mine", "missing", "file"), False),
            (("mine", "theirs", "file"), True),
            (("mine", "theirs", "missing", "file"), True),
            (("mine", "theirs", "mine", "file"), True),
            (("sticky", "file"), True),
            (("sticky", "mine", "file"), False),
            (("sticky", "theirs", "file"), True),
            # The group is root's own.
            (("group", "file"), False),
        ):
            self.assertEqual(isExposed(self.path(*way)), exposed, way)
        self.assertEqual(self.holding(self.path("mine", "theirs", "mine", "x"))[2], True)

    def test_otherRoots(self) -> None:
        """
        In a namespace of its own users, where this process is root, the root folder belongs to
        another user, who is the machine's root.
        """
        self.folder("theirs", uid=NOBODY)
        os.symlink(self.top, self.path("theirs", "link"))
        way = self.path("theirs", "link", "file")
        self.assertRaises(UntrustedPath, Folder.holding, way)
        fstat = os.fstat
        status = list(fstat(os.open("/", os.O_RDONLY)))
        status[stat.ST_UID] = NOBODY
        calls = []

        def first(descriptor: int) -> os.stat_result:
            calls.append(descriptor)
            return os.stat_result(status) if len(calls) == 1 else fstat(descriptor)

        self.patch(os, "fstat", first)
        self.assertEqual(self.holding(way)[:2], (self.top, "file"))

    def test_loop(self) -> None:
        os.symlink("b", self.path("a"))
        os.symlink("a", self.path("b"))
        error = self.assertRaises(OSError, Folder.holding, self.path("a", "file"))
        assert isinstance(error, OSError)
        self.assertEqual(error.errno, errno.ELOOP)

    def test_missing(self) -> None:
        for path, number in (
            (self.path("no", "file"), errno.ENOENT),
            (self.path(os.path.basename(self.file("f")), "file"), errno.ENOTDIR),
            ("/", errno.EISDIR),
        ):
            error = self.assertRaises(OSError, Folder.holding, path)
            assert isinstance(error, OSError)
            self.assertEqual(error.errno, number, path)

    def test_made(self) -> None:
        """
        Folders that are missing are made, the last one with a mode of its own.
        """
        before = os.umask(0o022)
        self.addCleanup(os.umask, before)
        path = self.path("a", "b", "c")
        for _ in range(2):
            with Folder.at(path, make=0o700) as folder:
                self.assertEqual(folder.path, path)
        modes = [stat.S_IMODE(os.stat(self.path(*way)).st_mode) for way in (["a"], ["a", "b"])]
        self.assertEqual(modes, [0o755, 0o755])
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o700)
        self.assertRaises(FileNotFoundError, Folder.at, self.path("x"))

    def test_madeMeanwhile(self) -> None:
        """
        Another process that makes the folder at the same moment is as good; a link that it makes
        is not entered.
        """
        mkdir, symlink = os.mkdir, os.symlink

        def twice(name: str, mode: int, dir_fd: int) -> None:
            if name == "link":
                symlink(self.top, name, dir_fd=dir_fd)
            else:
                mkdir(name, mode, dir_fd=dir_fd)
            mkdir(name, mode, dir_fd=dir_fd)

        self.patch(os, "mkdir", twice)
        Folder.at(self.path("a"), make=0o700).close()
        error = self.assertRaises(OSError, Folder.at, self.path("link"), make=0o700)
        assert isinstance(error, OSError)
        self.assertEqual(error.errno, errno.ENOTDIR)

    def test_noDescriptorsLeft(self) -> None:
        """
        Whatever comes of it, nothing stays open that was not given away.
        """
        os.symlink("b", self.path("a"))
        os.symlink("a", self.path("b"))
        self.folder("theirs", uid=NOBODY)
        os.symlink(self.top, self.path("theirs", "link"))
        before = os.listdir("/proc/self/fd")
        for path in (self.path("a", "x"), self.path("theirs", "link"), self.path("no", "x"), "/"):
            for open_ in (Folder.holding, Folder.at):
                try:
                    found = open_(path)
                except (OSError, UntrustedPath):
                    continue
                (found[0] if isinstance(found, tuple) else found).close()
            with contextlib.suppress(OSError):
                isExposed(path)
        self.assertEqual(os.listdir("/proc/self/fd"), before)


class UserTests(FolderCase):
    """
    Another user has no rights to lose: the way is the system's.
    """

    def test_links(self) -> None:
        self.asNobody()
        os.seteuid(0)
        self.folder("theirs", uid=NOBODY)
        self.folder("theirs", "a", uid=NOBODY)
        os.seteuid(NOBODY)
        os.symlink("a", self.path("theirs", "link"))
        folder, name = Folder.holding(self.path("theirs", "link", "file"))
        with folder:
            self.assertEqual((folder.path, name), (self.path("theirs", "a"), "file"))
            self.assertFalse(folder.exposed)
        with Folder.at(self.path("theirs", "link", "new"), make=0o700) as made:
            self.assertEqual(made.path, self.path("theirs", "a", "new"))
        with Folder.at(self.path("theirs", "link")) as there:
            self.assertEqual(there.path, self.path("theirs", "a"))


class NamesTests(FolderCase):
    def test_names(self) -> None:
        """
        Names are given, taken away, and replaced in the folder; no link is opened.
        """
        self.file("a", text="a")
        self.file("b", text="b")
        os.symlink("a", self.path("link"))
        with Folder.at(self.top) as folder:
            folder.link("a", "c")
            self.assertRaises(FileExistsError, folder.link, "a", "c")
            folder.rename("b", "a")
            folder.sync()
            error = self.assertRaises(OSError, folder.open, "link", os.O_RDONLY)
            assert isinstance(error, OSError)
            self.assertEqual(error.errno, errno.ELOOP)
            folder.unlink("link")
            self.assertIsNone(folder.status("link"))
        self.assertEqual(sorted(os.listdir(self.top)), ["a", "c"])
        self.assertEqual((self.read(self.path("a")), self.read(self.path("c"))), ("b", "a"))


class RemedyTests(FolderCase):
    def remedy(self, mode: int, uid: int = -1, gid: int = -1) -> str:
        os.chmod(self.top, mode)
        status = list(os.stat(self.top))
        status[stat.ST_UID] = os.geteuid() if uid < 0 else uid
        status[stat.ST_GID] = os.getegid() if gid < 0 else gid
        return ownFolderRemedy("/it", os.stat_result(status))

    def test_remedy(self) -> None:
        """
        To change the mode is the remedy for a folder that is nobody else's, and not for one that
        others use: C{chmod 700 /tmp} breaks the machine.
        """
        self.assertEqual(self.remedy(0o775), "chmod go-w /it")
        self.assertEqual(self.remedy(0o777), "chmod go-w /it")
        self.assertEqual(self.remedy(0o1777), "")
        self.assertEqual(self.remedy(0o775, gid=os.getegid() + 1), "")
        self.assertEqual(self.remedy(0o777, uid=os.geteuid() + 1), "")
