"""
The pid file of an application that twistd has started, in an upgrade.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from txlb.process._owner import Owner
from txlb.process._pidfile import PidFile

#: The option of twistd, and its default.
OPTION = "--pidfile"
DEFAULT = "twistd.pid"

#: Bytes that a pid file has at most.
MOST = 32


class OtherPidFile:
    """
    The pid file that twistd has written for this process, or another process of the same
    application before it. The file is found by its content.

    @ivar isWanted: whether L{write} is still to be called.
    """

    def __init__(self) -> None:
        self._path = ""
        self.isWanted = False

    @property
    def path(self) -> str:
        """
        Its absolute path; empty if there is none.
        """
        for path in self._candidates():
            if _contentOf(path) == b"%d" % os.getpid():
                return os.path.abspath(path)
        return ""

    def _candidates(self) -> Iterator[str]:
        if self._path:
            yield self._path
        words = iter(sys.argv[1:])
        for word in words:
            option, equals, value = word.partition("=")
            if option == OPTION:
                yield value if equals else next(words, "")
        yield DEFAULT

    def leave(self) -> None:
        """
        Leave the file to another process, which writes it when this one has ended.
        """
        self._path = ""
        self.isWanted = False

    def takeOver(self, path: str) -> None:
        """
        Write this file when the process before has ended: twistd removes it there.

        @param path: its absolute path.
        """
        self._path = path
        self.isWanted = True

    def write(self) -> None:
        """
        Write the number of this process. If that fails, the log has the reason.
        """
        self.isWanted = False
        PidFile({}, Owner(None, None)).takeOver(self._path)

    def remove(self) -> None:
        """
        Remove the file that this process has written. twistd removes its own.
        """
        if self._path and _contentOf(self._path) == b"%d" % os.getpid():
            with contextlib.suppress(OSError):
                os.unlink(self._path)


def _contentOf(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MOST).strip()
    except OSError:
        return b""
