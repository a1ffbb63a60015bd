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

from txlb.cloning._startfiles import StartFiles
from txlb.errors import TxlbError
from txlb.process import Folder, SocketFile, UntrustedPath

#: The names in the folder.
LOCK = "lock"
STANDBY = "standby"
MANAGER = "manager"
CONTROL = "control"
STOPPED = "stopped"
PID = "pid"

#: Clones that may wait for the manager to take them in, and clients of the control socket.
BACKLOG = 256


class CloningError(TxlbError):
    """
    An application can't be cloned as it is asked to be.
    """


class Rendezvous:
    """
    The folder of an application. The process that has its lock is the manager; its socket
    there is where clones come to, and its PID is in the file C{pid}. The kernel frees the
    lock if the manager ends, even if it is killed.

    The lock is one of L{fcntl.lockf}, which a child that the process forks does not
    inherit; one of C{flock} would live as long as the last child.

    A L{CloneGroup} owns it.

    @ivar starts: the starts that are under way.
    @param path: the folder; it is made with mode 0700 if there is none.
    @raise CloningError: it can't be made, is another user's, or others can enter it.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        try:
            self._folder = Folder.at(self.path, make=0o700)
            try:
                _checkOwn(self.path, os.stat(".", dir_fd=self._folder.descriptor))
                self._lock = self._folder.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
                self._standby = self._folder.open(STANDBY, os.O_RDWR | os.O_CREAT, 0o600)
            except (OSError, CloningError):
                self._folder.close()
                raise
        except OSError as problem:
            raise CloningError(f"folder {self.path}: {problem.strerror}") from None
        except UntrustedPath as problem:
            raise CloningError(f"folder {self.path}: {problem}") from None
        self.starts = StartFiles(self._folder)
        self._file: SocketFile | None = None

    def tryLock(self) -> bool:
        """
        Become the one process that manages.

        @return: whether it is.
        """
        return _tryLock(self._lock)

    def unlock(self) -> None:
        """
        Let another process manage.
        """
        fcntl.lockf(self._lock, fcntl.LOCK_UN)

    def standBy(self) -> bool:
        """
        Become the process that is to manage next.

        @return: whether it is; it is not if there is one.
        """
        return _tryLock(self._standby)

    def standByNoMore(self) -> None:
        """
        Let another process be the next one.
        """
        fcntl.lockf(self._standby, fcntl.LOCK_UN)

    @property
    def hasStandby(self) -> bool:
        """
        Whether there is a process that is to manage next. Ask it if this process is none.
        """
        if _tryLock(self._standby):
            fcntl.lockf(self._standby, fcntl.LOCK_UN)
            return False
        return True

    def begin(self) -> None:
        """
        Note that the application runs.
        """
        with contextlib.suppress(FileNotFoundError):
            self._folder.unlink(STOPPED)

    def end(self) -> None:
        """
        Note that the application was stopped, for processes that are on their way.
        """
        with contextlib.suppress(OSError):
            os.close(self._folder.open(STOPPED, os.O_WRONLY | os.O_CREAT))

    @property
    def isStopped(self) -> bool:
        """
        Whether the application was stopped.
        """
        return self._folder.status(STOPPED) is not None

    def listen(self) -> socket.socket:
        """
        Listen for clones, in the place of a former manager. At no moment is there no
        socket at the path.

        @return: a non-blocking socket.
        @raise OSError: that can't be done.
        """
        sock, self._file = self._listenAt(MANAGER, socket.SOCK_SEQPACKET)
        self._writePID()
        return sock

    def listenForControl(self) -> tuple[socket.socket, SocketFile]:
        """
        Listen for clients of the control socket, likewise.

        @return: a non-blocking socket, and its file.
        @raise OSError: that can't be done.
        """
        return self._listenAt(CONTROL, socket.SOCK_STREAM)

    def _listenAt(self, name: str, kind: int) -> tuple[socket.socket, SocketFile]:
        own = f"{name}.{os.getpid()}"
        sock = socket.socket(socket.AF_UNIX, kind)
        try:
            with contextlib.suppress(FileNotFoundError):
                self._folder.unlink(own)
            path = _socketPath(self._folder, own)
            sock.bind(path)
            os.chmod(path, 0o600)
            sock.listen(BACKLOG)
            sock.setblocking(False)
            self._folder.rename(own, name)
        except OSError:
            sock.close()
            raise
        return sock, SocketFile(os.path.join(self.path, name))

    def _writePID(self) -> None:
        """
        Tell administrators which process manages. A disk that is full does not keep a
        process from that.
        """
        own = f"{PID}.{os.getpid()}"
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            with open(self._folder.open(own, flags, 0o600), "w", encoding="ascii") as file:
                file.write(f"{os.getpid()}\n")
            self._folder.rename(own, PID)

    def _removePID(self) -> None:
        with contextlib.suppress(OSError):
            with open(self._folder.open(PID, os.O_RDONLY), encoding="ascii") as file:
                isOwn = file.read() == f"{os.getpid()}\n"
            if isOwn:
                self._folder.unlink(PID)

    def connect(self) -> socket.socket:
        """
        Connect to the manager.

        @return: a connected socket, with which to make a L{Link}.
        @raise OSError: there is none at the moment, or it has no room.
        """
        return _connect(self._folder)

    def remove(self) -> None:
        """
        Remove the manager's socket and the file with its PID, if they are still this
        process's.
        """
        if self._file is not None:
            self._removePID()
            self._file.remove()
            self._file = None

    def close(self) -> None:
        """
        Free the lock.
        """
        os.close(self._lock)
        os.close(self._standby)
        self._folder.close()


def connectTo(path: str) -> socket.socket:
    """
    Connect to the manager of the application of a folder.

    @raise OSError: there is no folder, no manager, or it has no room.
    @raise UntrustedPath: root can't trust a symbolic link on the way.
    @raise CloningError: the folder is another user's, or others can enter it.
    """
    with Folder.at(path) as folder:
        _checkOwn(path, os.stat(".", dir_fd=folder.descriptor))
        return _connect(folder)


def _tryLock(descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        if problem.errno in {errno.EACCES, errno.EAGAIN}:
            return False
        raise
    return True


def _connect(folder: Folder) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        sock.setblocking(False)
        sock.connect(_socketPath(folder, MANAGER))
    except OSError:
        sock.close()
        raise
    return sock


def _socketPath(folder: Folder, name: str) -> str:
    """
    Name a socket in a folder with few bytes, however long the folder's path is: an address
    of a UNIX socket has 107 (unix(7)).
    """
    return f"/proc/self/fd/{folder.descriptor}/{name}"


def _checkOwn(path: str, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise CloningError(
            f"folder {path} is user {status.st_uid}'s: choose another one, or run as that user"
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise CloningError(f"others can enter folder {path}: chmod 700 {path}")
