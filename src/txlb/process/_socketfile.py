"""
The file of a listening UNIX socket.
"""

from __future__ import annotations

import contextlib
import os


class SocketFile:
    """
    The file that a listening UNIX socket was bound to. While that socket is open the
    system keeps the file's inode, so no other file has its number. So ask before the
    socket is closed.

    @param path: the path to which a socket of this process has just been bound.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._identity = _identity(path)

    @property
    def isOurs(self) -> bool:
        """
        Whether the file at the path is still the socket's own.
        """
        return self._identity is not None and _identity(self.path) == self._identity

    def remove(self) -> None:
        """
        Remove the file, if it is still the socket's own. Another file is the socket of
        a program that listens there now: removing it would cut the program off from its
        clients.
        """
        if self.isOurs:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        self._identity = None


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
