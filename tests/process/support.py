"""
What the tests of L{txlb.process} have in common.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable

from twisted.trial.unittest import SkipTest, SynchronousTestCase

#: A user that owns nothing, and has an entry on every machine.
NOBODY = 65534


class FolderCase(SynchronousTestCase):
    """
    A test with a folder of its own that everybody may enter.
    """

    def setUp(self) -> None:
        self.top = tempfile.mkdtemp(prefix="txlb")
        self.addCleanup(shutil.rmtree, self.top)
        os.chmod(self.top, 0o755)

    def path(self, *names: str) -> str:
        return os.path.join(self.top, *names)

    def folder(self, *names: str, mode: int = 0o755, uid: int = -1) -> str:
        path = self.path(*names)
        os.mkdir(path)
        os.chmod(path, mode)
        if uid != -1:
            os.chown(path, uid, uid)
        return path

    def file(self, *names: str, text: str = "", mode: int = 0o644) -> str:
        path = self.path(*names)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def read(self, path: str) -> str:
        with open(path, encoding="utf-8") as file:
            return file.read()

    def needRoot(self) -> None:
        if os.geteuid():
            raise SkipTest("it takes root to give up root's rights")

    def asNobody(self) -> Callable[[], None]:
        """
        Have a user's rights until the end of the test, or until what is returned is called.
        """
        self.needRoot()
        closing = contextlib.ExitStack()
        closing.callback(os.seteuid, 0)
        os.seteuid(NOBODY)
        self.addCleanup(closing.close)
        return closing.close
