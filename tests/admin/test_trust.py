"""
Tests for L{txlb.admin._trust}.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txlb.admin._trust import MAX_LINKS, ownershipProblem, pathProblem


def status(uid: int, mode: int) -> os.stat_result:
    return os.stat_result((mode, 0, 0, 1, uid, 0, 0, 0, 0, 0))


class OwnershipTests(SynchronousTestCase):
    def test_ownership(self) -> None:
        self.patch(os, "geteuid", lambda: 1000)
        self.assertIsNone(ownershipProblem(status(1000, 0o755)))
        self.assertIsNone(ownershipProblem(status(0, 0o755)))
        self.assertIn("uid 1001", str(ownershipProblem(status(1001, 0o700))))
        self.assertIn("mode 0720", str(ownershipProblem(status(1000, 0o720))))
        self.assertIn("mode 0702", str(ownershipProblem(status(1000, 0o702))))


class PathTests(SynchronousTestCase):
    """
    What sshd's StrictModes asks: of every folder above, nobody but us and root may be able to
    put another one, or another file, in the place of what lies there.
    """

    def setUp(self) -> None:
        self.top = Path(self.mktemp()).resolve()
        self.folder = self.top / "a" / "b"
        self.folder.mkdir(parents=True, mode=0o700)
        for each in (self.top, self.top / "a", self.folder):
            each.chmod(0o755)
        self.file = self.folder / "keys"
        self.file.touch(0o600)

    def owned(self, *others: Path, uid: int = 4711) -> None:
        """
        As if these belonged to somebody else.
        """
        lstat: Callable[[str], os.stat_result] = os.lstat

        def fake(path: str) -> os.stat_result:
            found = lstat(path)
            if Path(path) not in others:
                return found
            return os.stat_result((found.st_mode, 0, 0, 1, uid, 0, 0, 0, 0, 0))

        self.patch(os, "lstat", fake)

    def test_good(self) -> None:
        self.assertIsNone(pathProblem(str(self.file)))

    def test_writable(self) -> None:
        """
        Wherever above it is.
        """
        for folder in (self.top, self.top / "a", self.folder):
            for mode in (0o775, 0o757, 0o777):
                folder.chmod(mode)
                problem = str(pathProblem(str(self.file)))
                self.assertIn(f"its folder {folder} can be written to by others", problem)
                self.assertIn(f"chmod go-w {folder}", problem)
            folder.chmod(0o755)

    def test_anothersFolder(self) -> None:
        self.owned(self.top / "a")
        problem = str(pathProblem(str(self.file)))
        self.assertIn(f"its folder {self.top / 'a'} belongs to another user (uid 4711)", problem)
        self.assertIn(f"chown {os.geteuid()} ", problem)

    def test_rootsFolder(self) -> None:
        self.owned(self.top / "a", uid=0)
        self.assertIsNone(pathProblem(str(self.file)))

    def test_sticky(self) -> None:
        """
        In a folder of root's such as /tmp nobody can rename what is another's, so one above
        will do. In somebody else's the owner still can.
        """
        above = self.top / "a"
        above.chmod(0o1777)
        self.owned(above, uid=0)
        self.assertIsNone(pathProblem(str(self.file)))
        self.owned(above)
        self.assertIn("belongs to another user", str(pathProblem(str(self.file))))

    def test_links(self) -> None:
        """
        The folders before and behind a link count, and whose the link is.
        """
        elsewhere = self.top / "elsewhere"
        elsewhere.mkdir(0o755)
        link = elsewhere / "link"
        link.symlink_to("../a/b")
        self.assertIsNone(pathProblem(str(link / "keys")))
        for folder in (elsewhere, self.folder, self.top / "a"):
            folder.chmod(0o777)
            self.assertIn(f"its folder {folder} ", str(pathProblem(str(link / "keys"))))
            folder.chmod(0o755)
        self.owned(link)
        self.assertIn(
            f"the link {link} belongs to another user", str(pathProblem(str(link / "keys")))
        )

    def test_absoluteLinks(self) -> None:
        link = self.top / "link"
        link.symlink_to(self.file)
        self.assertIsNone(pathProblem(str(link)))
        self.folder.chmod(0o777)
        self.assertIn(f"its folder {self.folder} ", str(pathProblem(str(link))))

    def test_dots(self) -> None:
        self.assertIsNone(pathProblem(f"{self.folder}/../b/./keys"))
        self.folder.chmod(0o777)
        self.assertIn("its folder", str(pathProblem(f"{self.folder}/../../other")))

    def test_loops(self) -> None:
        link = self.top / "loop"
        link.symlink_to("loop")
        error = self.assertRaises(OSError, pathProblem, str(link / "x"))
        self.assertIn("Too many levels of symbolic links", str(error))
        for number in range(MAX_LINKS + 1):
            (self.top / f"l{number}").symlink_to(f"l{number + 1}")
        self.assertRaises(OSError, pathProblem, str(self.top / "l0" / "x"))

    def test_missing(self) -> None:
        self.assertRaises(OSError, pathProblem, str(self.top / "no" / "such" / "file"))
