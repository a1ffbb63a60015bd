"""
Where the processes of one application find each other.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat

from txlb.errors import TxlbError
from txlb.process import Folder, SocketFile

#: The names in the folder.
LOCK = "lock"
MANAGER = "manager"
STOPPED = "stopped"

#: Clones that may wait for the manager to take them in.
BACKLOG = 256

#: Longest path of a UNIX socket: C{sun_path} has 108 bytes, the last one is zero (unix(7)).
MOST_PATH = 107


class CloningError(TxlbError):
    """
    An application can't be cloned as it is asked to be.
    """


class Rendezvous:
    """
    The folder of an application. The process that has its lock is the manager; its socket
    there is where clones come to. The kernel frees the lock if the manager ends, by
    whatever means.

    The lock is one of L{fcntl.lockf}, which a child that the process forks does not
    inherit; one of C{flock} would live as long as the last child.

    A L{CloneGroup} owns it.

    @param path: the folder; it is made with mode 0700 if there is none.
    @raise CloningError: it can't be made, is another user's, or others can enter it.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        socketPath = os.path.join(self.path, f"{MANAGER}.{2**22}")
        if len(os.fsencode(socketPath)) > MOST_PATH:
            raise CloningError(
                f"folder {self.path} has too long a path for a UNIX socket: choose a shorter one"
            )
        try:
            with Folder.at(self.path, make=0o700) as folder:
                status = os.stat(".", dir_fd=folder.descriptor)
                _checkOwn(self.path, status)
                self._lock = folder.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as problem:
            raise CloningError(f"folder {self.path}: {problem.strerror}") from None
        self._file: SocketFile | None = None

    def tryLock(self) -> bool:
        """
        Become the one process that manages.

        @return: whether it is.
        """
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            if problem.errno in {errno.EACCES, errno.EAGAIN}:
                return False
            raise
        return True

    def unlock(self) -> None:
        """
        Let another process manage.
        """
        fcntl.lockf(self._lock, fcntl.LOCK_UN)

    def begin(self) -> None:
        """
        Note that the application runs.
        """
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.path, STOPPED))

    def end(self) -> None:
        """
        Note that the application was stopped, for processes that are on their way.
        """
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            os.close(os.open(os.path.join(self.path, STOPPED), flags, 0o600))

    @property
    def isStopped(self) -> bool:
        """
        Whether the application was stopped.
        """
        return os.path.lexists(os.path.join(self.path, STOPPED))

    def listen(self) -> socket.socket:
        """
        Listen for clones, in the place of a former manager. At no moment is there no
        socket at the path.

        @return: a non-blocking socket.
        @raise OSError: that can't be done.
        """
        path = os.path.join(self.path, MANAGER)
        own = f"{path}.{os.getpid()}"
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(own)
            sock.bind(own)
            os.chmod(own, 0o600)
            sock.listen(BACKLOG)
            sock.setblocking(False)
            os.rename(own, path)
        except OSError:
            sock.close()
            raise
        self._file = SocketFile(path)
        return sock

    def connect(self) -> socket.socket:
        """
        Connect to the manager.

        @return: a connected socket, with which to make a L{Link}.
        @raise OSError: there is none at the moment, or it has no room.
        """
        return connectTo(self.path)

    def remove(self) -> None:
        """
        Remove the manager's socket, if it is still this process's.
        """
        if self._file is not None:
            self._file.remove()
            self._file = None

    def close(self) -> None:
        """
        Free the lock.
        """
        os.close(self._lock)


def connectTo(path: str) -> socket.socket:
    """
    Connect to the manager of the application of a folder.

    @raise OSError: there is no folder, no manager, or it has no room.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        sock.setblocking(False)
        sock.connect(os.path.join(path, MANAGER))
    except OSError:
        sock.close()
        raise
    return sock


def _checkOwn(path: str, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise CloningError(
            f"folder {path} is user {status.st_uid}'s: choose another one, or run as that user"
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise CloningError(f"others can enter folder {path}: chmod 700 {path}")
