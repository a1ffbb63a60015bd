"""
Tests for L{txlb.admin._state} and L{txlb.admin._statepath}.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from txlb.admin import stateDirectory
from txlb.admin._hostkey import hostKey
from txlb.admin._statepath import SYSTEM_DIRECTORY, _default
from txlb.errors import StateDirectoryError


def status(uid: int, mode: int) -> os.stat_result:
    return os.stat_result((stat.S_IFDIR | mode, 1, 1, 1, uid, uid, 0, 0, 0, 0))


class PlaceTests(SynchronousTestCase):
    def asUser(self, uid: int) -> None:
        self.patch(os, "geteuid", lambda: uid)

    def test_systemd(self) -> None:
        environ = {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "HOME": "/home/me"}
        self.assertEqual(_default(environ), "/var/lib/a")

    def test_root(self) -> None:
        self.asUser(0)
        self.assertEqual(_default({"XDG_STATE_HOME": "/x", "HOME": "/root"}), SYSTEM_DIRECTORY)

    def test_user(self) -> None:
        self.asUser(1000)
        self.assertEqual(_default({"XDG_STATE_HOME": "/x", "HOME": "/home/me"}), "/x/txlb")
        home = "/home/me/.local/state/txlb"
        self.assertEqual(_default({"HOME": "/home/me"}), home)
        self.assertEqual(_default({"XDG_STATE_HOME": "relative", "HOME": "/home/me"}), home)

    def test_noHome(self) -> None:
        self.asUser(1000)
        expected = os.path.join(os.path.expanduser("~"), ".local/state/txlb")
        self.assertEqual(_default({}), expected)


class MakingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = Path(self.mktemp()).resolve()
        self.root.mkdir()

    def test_made(self) -> None:
        path = self.root / "a" / "b"
        self.assertEqual(stateDirectory(str(path)), str(path))
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o700)
        self.assertEqual(stateDirectory(str(path)), str(path))

    def test_environment(self) -> None:
        path = str(self.root / "state")
        self.assertEqual(stateDirectory(environ={"STATE_DIRECTORY": path}), path)
        self.patch(os, "environ", {"STATE_DIRECTORY": path})
        self.assertEqual(stateDirectory(), path)

    def test_relativeIsFromHere(self) -> None:
        path = os.path.relpath(self.root)
        self.assertEqual(stateDirectory(path), str(self.root))

    def test_writableByOthers(self) -> None:
        for mode in (0o770, 0o702):
            self.root.chmod(mode)
            error = self.assertRaises(StateDirectoryError, stateDirectory, str(self.root))
            self.assertIn(str(self.root), str(error))
            self.assertIn("can be written to by others", str(error))
            self.assertIn("name a folder that is txlb's own with --state-directory", str(error))
            self.assertIn(f"or change that with: chmod go-w {self.root}", str(error))

    def test_shared(self) -> None:
        """
        To give C{/tmp} to one user, and to close it to all others, is no remedy.
        """
        self.root.chmod(0o1777)
        error = self.assertRaises(StateDirectoryError, stateDirectory, str(self.root))
        self.assertIn("can be written to by others (mode 1777)", str(error))
        self.assertNotRegex(str(error), "chmod|chown")

    def test_untrusted(self) -> None:
        """
        Root does not follow a link that another user may have made.
        """
        if os.getuid():
            raise SkipTest("it takes root")
        theirs, mine = self.root / "theirs", self.root / "mine"
        theirs.mkdir()
        mine.mkdir()
        os.chown(theirs, 12345, 12345)
        (theirs / "state").symlink_to(mine)
        error = self.assertRaises(StateDirectoryError, stateDirectory, str(theirs / "state"))
        self.assertIn("is a symbolic link in a folder that others than root", str(error))
        self.assertRaises(StateDirectoryError, hostKey, str(theirs / "state"))
        self.assertEqual(list(mine.iterdir()), [])

    def test_aFile(self) -> None:
        path = self.root / "file"
        path.write_text("")
        error = self.assertRaises(StateDirectoryError, stateDirectory, str(path))
        self.assertRegex(str(error), "File exists|Not a directory")
        self.assertRaises(StateDirectoryError, stateDirectory, str(path / "below"))

    def test_aboveWritableByOthers(self) -> None:
        """
        Nobody else may be able to put another directory in its place.
        """
        self.root.chmod(0o777)
        path = self.root / "state"
        error = self.assertRaises(StateDirectoryError, stateDirectory, str(path))
        self.assertIn(f"its folder {self.root} can be written to by others", str(error))
        self.assertIn(f"chmod go-w {self.root}", str(error))
