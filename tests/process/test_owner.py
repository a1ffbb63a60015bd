"""
Tests for L{txlb.process.Owner}.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat

from tests.process.support import NOBODY, FolderCase
from txlb.process import Owner, OwnerError, UntrustedPath

WRITE = os.O_WRONLY | os.O_APPEND


class WhoseTests(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.given: list[tuple[object, ...]] = []
        self.patch(os, "chown", lambda *args, **_: self.given.append(args))

    def be(self, euid: int) -> None:
        self.patch(os, "geteuid", lambda: euid)

    def test_twistd(self) -> None:
        """
        The user and group are those of twistd's options. Like twistd, the user's own group is
        taken if none is given.
        """
        entry = pwd.getpwuid(0)
        for options, wanted in (
            (None, (None, None)),
            ({}, (None, None)),
            ({"uid": 0, "gid": None}, (0, entry.pw_gid)),
            # A user that the machine does not know has no group.
            ({"uid": 4_000_000, "gid": None}, (4_000_000, None)),
            ({"uid": 5, "gid": 6}, (5, 6)),
        ):
            owner = Owner.fromTwistd(options)
            self.assertEqual((owner.uid, owner.gid), wanted)

    def test_give(self) -> None:
        self.be(0)
        a, b, c = (self.file(name) for name in "abc")
        Owner(5, 6).give(a)
        Owner(5).give(b)
        Owner(None, 6).give(c)
        Owner().give("d")
        self.assertEqual(self.given, [(a, 5, 6), (b, 5, -1), (c, -1, 6)])

    def test_given(self) -> None:
        """
        What is the user's already, as it was made with the user's rights, is left alone.
        """
        path = self.file("a")
        self.be(0)
        status = list(os.stat(path))
        status[stat.ST_UID] = 5
        self.patch(os, "lstat", lambda _: os.stat_result(status))
        Owner(5, 6).give(path)
        self.assertEqual(self.given, [])

    def test_cantBeGiven(self) -> None:
        """
        What is not there can't be given, nor what may be another's file.
        """
        self.be(0)
        path = self.file("a")
        os.link(path, self.path("b"))
        error = self.assertRaises(OwnerError, Owner(5).give, path)
        self.assertIn(f"{path} has other names as well", str(error))
        error = self.assertRaises(OwnerError, Owner(5).give, path + "c")
        self.assertIn("c can't be given to uid 5: No such file", str(error))
        self.assertEqual(self.given, [])

    def test_noRights(self) -> None:
        """
        A process that is not root's can't give anything away, and loses nothing.
        """
        self.be(1000)
        Owner(5, 6).give("a")
        self.assertEqual(self.given, [])
        self.assertFalse(Owner(5).cantWriteTo(self.top))
        with Owner(5, 6).rights(self.path("a")) as asUser:
            self.assertFalse(asUser)

    def test_folders(self) -> None:
        self.be(0)
        us = os.stat(self.top)
        another = us.st_uid + 5
        for mode, owner, wanted in (
            (0o755, Owner(another, us.st_gid + 5), True),
            (0o757, Owner(another), False),
            (0o775, Owner(another, us.st_gid), False),
            (0o755, Owner(another, us.st_gid), True),
            (0o555, Owner(), False),
            (0o755, Owner(None, 5), False),
        ):
            os.chmod(self.top, mode)
            self.assertEqual(owner.cantWriteTo(self.top), wanted, oct(mode))
        os.chmod(self.top, 0o755)
        theirs = list(us)
        theirs[stat.ST_UID] = another
        self.patch(os, "stat", lambda _: os.stat_result(theirs))
        self.assertFalse(Owner(another).cantWriteTo(self.top))


class RightsTests(FolderCase):
    """
    With which rights something is opened.
    """

    def setUp(self) -> None:
        super().setUp()
        self.needRoot()
        self.folder("theirs", uid=NOBODY)
        self.owner = Owner(NOBODY, NOBODY)

    def who(self) -> tuple[int, int, list[int]]:
        return os.geteuid(), os.getegid(), os.getgroups()

    def test_rights(self) -> None:
        """
        They are root's if the way is root's, and else the user's, with the user's groups. Then
        they are root's again, whatever happened.
        """
        before = self.who()
        with self.owner.rights(self.path("file")) as asUser:
            self.assertFalse(asUser)
            self.assertEqual(self.who(), before)
        with self.owner.rights(self.path("theirs", "x")) as asUser:
            self.assertTrue(asUser)
            self.assertEqual(self.who(), (NOBODY, NOBODY, [NOBODY]))
        self.assertEqual(self.who(), before)

        def fail() -> None:
            with self.owner.rights(self.path("theirs", "x")):
                raise KeyError

        self.assertRaises(KeyError, fail)
        self.assertEqual(self.who(), before)

    def test_untilTheEnd(self) -> None:
        """
        A process whose user stays root, or whose way there is none, has its own rights.
        """
        for owner, path in (
            (Owner(), self.path("theirs", "x")),
            (Owner(0, 0), self.path("theirs", "x")),
            (Owner(None, 5), self.path("theirs", "x")),
            (self.owner, os.path.join(self.file("f"), "x", "y")),
        ):
            with owner.rights(path) as asUser:
                self.assertFalse(asUser)

    def test_unknownUser(self) -> None:
        """
        A user that the machine does not know has one group, or root's own if none is given.
        """
        for gid in (4_000_001, None):
            with Owner(4_000_000, gid).rights(self.path("theirs", "x")):
                self.assertEqual(self.who(), (4_000_000, gid or 0, [gid or 0]))

    def test_cantBeHad(self) -> None:
        """
        A root that may not become another user says so.
        """

        def refuse(*_: object) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        before = self.who()
        self.patch(os, "initgroups", refuse)
        with self.assertRaises(OwnerError) as raised:
            self.owner.open(self.path("theirs", "x"), WRITE | os.O_CREAT, 0o640)
        self.assertIn(f"the rights of uid {NOBODY}, with which {self.top}", str(raised.exception))
        self.assertEqual(self.who(), before)


class OpenTests(FolderCase):
    def setUp(self) -> None:
        super().setUp()
        self.needRoot()
        before = os.umask(0o022)
        self.addCleanup(os.umask, before)
        self.folder("theirs", uid=NOBODY)
        self.secret = self.file("secret", text="root's", mode=0o600)
        self.owner = Owner(NOBODY, NOBODY)

    def open(self, *names: str, flags: int = WRITE | os.O_CREAT, give: bool = True) -> int:
        """
        @return: the owner of what was opened.
        """
        descriptor = self.owner.open(self.path(*names), flags, 0o640, give=give)
        self.addCleanup(os.close, descriptor)
        self.assertFalse(os.get_inheritable(descriptor))
        self.assertTrue(os.path.samestat(os.fstat(descriptor), os.stat(self.path(*names))))
        self.assertEqual(stat.S_IMODE(os.fstat(descriptor).st_mode), 0o640)
        return os.fstat(descriptor).st_uid

    def refused(self, error: type[Exception], *names: str) -> str:
        before = os.listdir("/proc/self/fd")
        with self.assertRaises(error) as raised:
            self.owner.open(self.path(*names), WRITE | os.O_CREAT, 0o640)
        self.assertEqual(os.listdir("/proc/self/fd"), before)
        self.assertEqual(self.read(self.secret), "root's")
        self.assertEqual(os.stat(self.secret).st_uid, 0)
        return str(raised.exception)

    def test_made(self) -> None:
        """
        A file is the user's, be it made by root in root's folder or by the user in theirs. One
        that is not to be given stays that of the user who made it.
        """
        self.assertEqual(self.open("a"), NOBODY)
        self.assertEqual(self.open("a"), NOBODY)
        self.assertEqual(self.open("theirs", "a"), NOBODY)
        self.assertEqual(self.open("theirs", "a", flags=WRITE), NOBODY)
        self.assertEqual(self.open("b", give=False), 0)
        self.assertEqual(self.open("theirs", "b", give=False), NOBODY)

    def test_links(self) -> None:
        """
        In the user's folder a link leads where the user may go, and no further: to a file of
        root's it is an error that names the link.
        """
        os.symlink(self.secret, self.path("theirs", "secret"))
        os.symlink(self.path("new"), self.path("theirs", "new"))
        for name in ("secret", "new"):
            said = self.refused(UntrustedPath, "theirs", name)
            self.assertIn(f"{self.top}/theirs/{name} is a symbolic link", said)
        self.assertFalse(os.path.lexists(self.path("new")))
        os.symlink("mine", self.path("theirs", "link"))
        self.assertEqual(self.open("theirs", "link"), NOBODY)
        self.assertTrue(os.path.exists(self.path("theirs", "mine")))

    def test_hardLink(self) -> None:
        os.link(self.secret, self.path("theirs", "secret"))
        self.refused(PermissionError, "theirs", "secret")
        # If root stays root, it could be opened.
        self.owner = Owner()
        self.assertIn("has other names as well", self.refused(OwnerError, "theirs", "secret"))

    def test_otherNames(self) -> None:
        """
        A file of root's with another name is not given away.
        """
        os.link(self.secret, self.path("other"))
        self.assertIn("has other names as well", self.refused(OwnerError, "other"))

    def test_sharedFolder(self) -> None:
        """
        In a folder that is root's and a group's the user can't make a file. A new one is made for
        them; one that is there and not theirs is not opened.
        """
        os.chown(self.folder("shared"), 0, 4)
        os.chmod(self.path("shared"), 0o775)
        self.assertEqual(self.open("shared", "a"), NOBODY)
        self.file("shared", "b", mode=0o644)
        self.refused(PermissionError, "shared", "b")
        with self.assertRaises(PermissionError):
            self.owner.open(self.path("shared", "b"), WRITE, 0o640)

    def test_device(self) -> None:
        """
        A device is opened and stays root's.
        """
        os.mknod(self.path("null"), stat.S_IFCHR | 0o600, os.makedev(1, 3))
        descriptor = self.owner.open(self.path("null"), WRITE, 0o640)
        self.addCleanup(os.close, descriptor)
        self.assertEqual(os.fstat(descriptor).st_uid, 0)

    def test_cantBeGiven(self) -> None:
        def refuse(*_: object) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        self.patch(os, "fchown", refuse)
        self.assertIn(f"can't be given to uid {NOBODY}", self.refused(OwnerError, "a"))
