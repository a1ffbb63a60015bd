"""
A log file that is appended to and rotated.

Twisted's C{LogFile} keeps an offset and a size of its own: if a program copies and
truncates the file (C{copytruncate} of logrotate), it gets a hole of zeros and is
rotated too early. This one opens with C{O_APPEND}, and asks the system for the size
before it rotates.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import socket
import stat
import time
from collections.abc import Callable

from twisted.logger import Logger

from txlb.errors import TxlbError
from txlb.process._folder import Folder, UntrustedPath
from txlb.process._owner import Owner

#: The mode of a new log file. It has names of clients, and of users that log in.
MODE = 0o640

#: Seconds between two log lines about a file that can't be written, and until rotating
#: is tried again.
PATIENCE = 60.0

#: The process must not wait for a device or pipe that is full, and a terminal must not
#: become its controlling terminal.
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY

#: The names of the process's own descriptors.
_STREAM = re.compile(r"/dev/(?:(?P<word>stdout|stderr)|fd/(?P<a>\d+))|/proc/self/fd/(?P<b>\d+)")
_WORDS = {"stdout": 1, "stderr": 2}

#: The meaning of an error if the log is no regular file.
_REASONS = {
    errno.ENXIO: "no program reads from it; start that program first",
    errno.EPIPE: "no program reads from it",
    errno.EAGAIN: "the program that reads from it does not keep up",
}

_log = Logger()


class LogFileError(TxlbError):
    """
    The log file can't be written.
    """


class RotatedFile:
    """
    A log file. A regular file is rotated: when it is full it is renamed with C{.1}
    appended to its name, and older files move on by one. Devices, pipes and the
    process's own descriptors (C{/dev/stdout}) are never rotated.

    Writing never raises and never waits. If the system does not accept a line, the line
    is lost and counted. The log gives the count once a minute, and once more when lines
    are accepted again.

    @param path: the file. A link at its name is followed when the file is opened.
    @param rotateLength: bytes after which a new file is begun; 0 for never.
    @param maxRotated: the number of old files to keep, from 1; L{None} for all.
    @param owner: the user that the process belongs to later; by default its present
        one.
    @param seconds: a monotonic clock.
    @raise LogFileError: the file can't be opened for writing.
    """

    def __init__(
        self,
        path: str,
        rotateLength: int = 0,
        maxRotated: int | None = None,
        owner: Owner | None = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        # twistd changes to another folder before the first rotation.
        self.path = os.path.abspath(path)
        self._rotateLength = rotateLength
        self._maxRotated = maxRotated
        self._seconds = seconds
        stream = _STREAM.fullmatch(path)
        self._stream = None if stream is None else _number(stream)
        # The rest of a line of which the system accepted a part.
        self._rest = b""
        self._lost = 0
        self._toldAt: float | None = None
        self._telling = False
        self._triedAt: float | None = None
        self._said = ""
        self._descriptor = -1
        # Whether the file was not there before.
        self._isNew = False
        self._isFile = False
        self._size = 0.0
        self._limit = 0.0
        self._put: Callable[[bytes], int] = _nowhere
        self._take(self._open(path, Owner() if owner is None else owner))

    @property
    def isRotated(self) -> bool:
        """
        Whether the log is a regular file, which is rotated by size.
        """
        return self._isFile and self._rotateLength > 0

    # Writing

    def write(self, text: str) -> None:
        """
        Write one or more lines.

        @param text: the lines with their ends.
        """
        if self._size >= self._limit:
            self._full()
        data = text.encode("utf-8", "backslashreplace")
        rest = self._rest
        if rest:
            data = rest + data
        try:
            written = self._put(data)
        except OSError as error:
            self._failed(error)
            return
        self._size += written
        if written < len(data):
            self._tookPart(written, rest, data)
        elif self._lost or rest:
            self._rest = b""
            self._goesOn()

    def flush(self) -> None:
        """
        Do nothing: L{write} passes every line to the system at once.
        """

    def _tookPart(self, written: int, rest: bytes, data: bytes) -> None:
        """
        Keep the rest of a line, so that the next one does not begin in its middle.
        """
        if written >= len(rest):
            self._rest = data[written:]
        else:
            self._rest = rest[written:]
            self._failed(OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)))

    def _failed(self, error: OSError) -> None:
        if self._telling:
            # This line reports it.
            return
        self._lost += 1
        now = self._seconds()
        if self._toldAt is not None and now - self._toldAt < PATIENCE:
            return
        self._toldAt = now
        self._telling = True
        try:
            _log.error(
                "can't write to the log file {path}: {reason}; lines lost so far: {lost}",
                path=self.path,
                reason=self._reasonOf(error),
                lost=self._lost,
            )
        finally:
            self._telling = False

    def _goesOn(self) -> None:
        # This log receives that line, too.
        lost, self._lost = self._lost, 0
        if lost:
            _log.warn(
                "the log file {path} takes lines again; lines lost: {lost}",
                path=self.path,
                lost=lost,
            )

    def _reasonOf(self, error: OSError) -> str:
        reason = None if self._isFile else _REASONS.get(error.errno or 0)
        return reason or error.strerror or str(error)

    # Rotating

    def _full(self) -> None:
        """
        Tell whether so many bytes have been written that the file may be full.
        """
        size = os.fstat(self._descriptor).st_size
        if size < self._rotateLength:
            # Another program has truncated it.
            self._size = size
            return
        now = self._seconds()
        if self._triedAt is not None and now - self._triedAt < PATIENCE:
            return
        self._triedAt = now
        self.rotate()

    def rotate(self) -> None:
        """
        Begin a new file. If the present file was moved or removed from outside, only
        open the file by its name. An error is logged, and lines are still written to
        the present file.
        """
        if not self._isFile:
            return
        try:
            self._rotate()
        except (OSError, TxlbError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            # Rotating is tried again at each write, and the same error is logged once.
            if reason != self._said:
                self._said = str(reason)
                _log.error(
                    "can't rotate the log file {path}: {reason}; it is written on",
                    path=self.path,
                    reason=reason,
                )
        else:
            self._triedAt = None
            self._said = ""

    def _rotate(self) -> None:
        folder, name = Folder.holding(self.path)
        with folder:
            if not self._isAt(folder, name):
                self._take(self._openAnew())
                return
            self._shift(folder, name)
            first = f"{name}.1"
            folder.rename(name, first)
            try:
                self._take(self._openAnew())
            except BaseException:
                with contextlib.suppress(OSError):
                    folder.rename(first, name)
                raise

    def _isAt(self, folder: Folder, name: str) -> bool:
        found, ours = folder.status(name), os.fstat(self._descriptor)
        return found is not None and os.path.samestat(found, ours)

    def _shift(self, folder: Folder, name: str) -> None:
        """
        Make C{.1} free: rename each old file to the next number, up to the first free
        number, and remove the oldest ones above the limit.
        """
        last = 0
        while (status := folder.status(f"{name}.{last + 1}")) is not None:
            if not stat.S_ISREG(status.st_mode):
                raise LogFileError(f"{folder.path}/{name}.{last + 1} is no file; move it elsewhere")
            last += 1
        most = self._maxRotated
        if most is not None:
            for number in range(most, last + 1):
                folder.unlink(f"{name}.{number}")
            last = min(last, most - 1)
        for number in range(last, 0, -1):
            folder.rename(f"{name}.{number}", f"{name}.{number + 1}")

    def reopen(self) -> None:
        """
        Open the file by its name once more. On an error log it, and write to the
        present file.
        """
        if self._stream is not None:
            return
        try:
            self._take(self._openAnew())
        except (OSError, TxlbError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            _log.error(
                "can't open the log file {path} anew: {reason}", path=self.path, reason=reason
            )

    def close(self) -> None:
        """
        Close the file. Lines that are written afterwards are dropped.
        """
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
        self._put = _nowhere
        self._limit = float("inf")
        self._isFile = False

    def discard(self) -> None:
        """
        Close the file, because no service starts. Remove it if it was not there before and
        nothing was written to it. A file that can't be removed stays.
        """
        if self._isNew and self._descriptor >= 0:
            with contextlib.suppress(OSError, TxlbError):
                self._removeEmpty()
        self.close()

    def _removeEmpty(self) -> None:
        if os.fstat(self._descriptor).st_size:
            return
        folder, name = Folder.holding(self.path)
        with folder:
            if self._isAt(folder, name):
                folder.unlink(name)

    # Opening

    def _open(self, path: str, owner: Owner) -> int:
        try:
            if self._stream is not None:
                return _openStream(self._stream)
            try:
                descriptor = owner.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, MODE)
            except FileExistsError:
                return owner.open(path, _FLAGS | os.O_CREAT, MODE)
            self._isNew = True
            return descriptor
        except UntrustedPath as error:
            reason = f"{error}; remove it, or name another file"
        except TxlbError as error:
            reason = str(error)
        except PermissionError as error:
            reason = f"{error.strerror}{self._remedy(owner)}"
        except OSError as error:
            reason = _REASONS.get(error.errno or 0) or error.strerror or str(error)
        raise LogFileError(f"can't write the log file {path}: {reason}")

    def _remedy(self, owner: Owner) -> str:
        if not owner.isAnother:
            return ""
        whose = f" for uid {owner.uid}, which the process will be"
        if os.path.lexists(self.path):
            return f"{whose}; give the file to it: chown {owner.uid} {self.path}"
        folder = os.path.join(os.path.dirname(self.path), "txlb")
        return (
            f"{whose}; name a file in a folder of that user's own, such as one that this makes: "
            f"install -d -o {owner.uid} {folder}"
        )

    def _openAnew(self) -> int:
        """
        Open the file by its name, or make it with the mode and owner of the present
        one.
        """
        before = os.fstat(self._descriptor)
        folder, name = Folder.holding(self.path)
        with folder:
            if folder.status(name) is not None:
                return Owner().open(self.path, _FLAGS, MODE)
            descriptor = folder.open(name, _FLAGS | os.O_CREAT | os.O_EXCL, MODE)
        if self._isFile:
            with contextlib.suppress(OSError):
                os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
            # Only root can give the file to another user, and others to their own
            # groups.
            with contextlib.suppress(OSError):
                os.fchown(descriptor, -1, before.st_gid)
            with contextlib.suppress(OSError):
                os.fchown(descriptor, before.st_uid, -1)
        return descriptor

    def _take(self, descriptor: int) -> None:
        """
        Write to this descriptor from now on.
        """
        status = os.fstat(descriptor)
        before, self._descriptor = self._descriptor, descriptor
        self._isFile = stat.S_ISREG(status.st_mode) and self._stream is None
        self._size = float(status.st_size)
        self._limit = float(self._rotateLength) if self.isRotated else float("inf")
        self._put = functools.partial(os.write, descriptor)
        if stat.S_ISSOCK(status.st_mode):
            sock = socket.socket(fileno=os.dup(descriptor))
            self._put = lambda data: sock.send(data, socket.MSG_DONTWAIT)
        if self._rest:
            # The beginning of the line is in the other file.
            self._rest = b""
            self._lost += 1
        if before >= 0:
            os.close(before)


def _nowhere(data: bytes) -> int:
    return len(data)


def _number(stream: re.Match[str]) -> int:
    word = stream["word"]
    return _WORDS[word] if word else int(stream["a"] or stream["b"])


def _openStream(number: int) -> int:
    """
    Open the target of one of the process's own descriptors. A pipe or terminal is
    opened once more, because O_NONBLOCK belongs to the open file description, which
    other programs share.
    """
    mode = os.fstat(number).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISSOCK(mode)):
        with contextlib.suppress(OSError):
            return os.open(f"/proc/self/fd/{number}", _FLAGS | os.O_CLOEXEC)
    return os.dup(number)
