"""
Tests for L{txlb.admin.control._folder}.
"""

from __future__ import annotations

import os
import stat
import tempfile

from twisted.python.filepath import FilePath
from twisted.trial.unittest import SkipTest, SynchronousTestCase

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
        folder = self.made(0o755)
        prepareFolder(self.path)
        self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode), 0o755)

    def test_writable(self) -> None:
        """
        They may not write to it.
        """
        folder = self.made(0o775)
        self.patch(os, "environ", {"XDG_RUNTIME_DIR": "/run/user/1"})
        place = "/run/user/1" if os.geteuid() else "/run"
        self.assertEqual(
            self.refused(),
            f"can't listen on unix:{self.path}: others can write to its folder {folder} (mode "
            f'0775); take a folder of its own, which is made: <control socket="{place}/txlb/'
            f'control"/>, or change that with: chmod go-w {folder}',
        )

    def test_shared(self) -> None:
        """
        A folder that all share is no place for it, and its mode stays as it is: C{chmod 700 /tmp}
        breaks the machine.
        """
        for mode in (0o1777, 0o3775):
            folder = self.made(mode)
            said = self.refused()
            self.assertIn(f"others can write to its folder {folder} (mode {mode:04o})", said)
            self.assertNotIn("chmod", said)
            self.assertRegex(said, r'<control socket="/\S+/txlb/control"/>$')
            os.rmdir(folder)

    def test_places(self) -> None:
        """
        The place that is advised is one where C{txlb} looks for the socket.
        """
        self.made(0o1777)
        self.patch(os, "geteuid", lambda: os.stat(self.folder).st_uid)
        for environ, place in (
            ({"XDG_RUNTIME_DIR": "/run/user/7"}, "/run/user/7"),
            ({"HOME": "/home/x"}, "/home/x/.local/run"),
        ):
            self.patch(os, "environ", environ)
            said = place if os.getuid() else "/run"
            self.assertIn(f'"{said}/txlb/control"', self.refused())

    def test_untrusted(self) -> None:
        """
        Root does not follow a link that another user may have made.
        """
        if os.getuid():
            raise SkipTest("it takes root")
        folder = self.made(0o755)
        os.chown(folder, 12345, 12345)
        os.symlink("/etc", os.path.join(folder, "link"))
        said = self.refused(os.path.join(folder, "link", "control"))
        self.assertIn(f"{folder}/link is a symbolic link in a folder that others than root", said)
        self.assertIn("take a folder of its own", said)

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
