"""
The file with the number of the process.
"""

from __future__ import annotations

import os
import stat
from collections.abc import MutableMapping
from typing import Any

from twisted.logger import Logger

from txlb.errors import TxlbError
from txlb.process._folder import Folder, UntrustedPath
from txlb.process._owner import Owner

#: Every user may read the number of a process.
MODE = 0o644


_log = Logger()


class PidFileError(TxlbError):
    """
    The pid file can't be made.
    """


class PidFile:
    """
    Maker of the file that twistd's C{--pidfile} names, in place of twistd: twistd opens
    it with root's rights, follows a link, and empties the file that it finds. This
    class makes a new file, which can't be another user's. twistd removes it at the end,
    as it does its own.

    @param options: twistd's own options. Their C{pidfile} is empty until the file is
        written.
    @param owner: the user that the process belongs to later.
    """

    def __init__(self, options: MutableMapping[str, Any], owner: Owner) -> None:
        self._options = options
        self._owner = owner
        self._descriptor = -1
        # The one that the file has.
        self._number = 0
        self._path: str = options.get("pidfile") or ""
        options["pidfile"] = ""
        # After chroot the path is one of the new root.
        self._isLater = bool(options.get("chroot"))

    def make(self) -> None:
        """
        Make the file, so that an error is known before twistd goes to the background.
        Its number is that of this process until L{write}.

        @raise PidFileError: the file can't be made, or another file is there.
        """
        if self._path and not self._isLater:
            self._make()
            self._put()

    def write(self) -> None:
        """
        Write the number of the process. If services are started with root's rights, it
        is the number of the process in the background.

        @raise PidFileError: see L{make}.
        """
        if not self._path:
            return
        if self._descriptor < 0:
            self._make()
        self._put()
        os.close(self._descriptor)
        self._descriptor = -1
        self._options["pidfile"] = self._path

    @property
    def path(self) -> str:
        """
        Its absolute path; empty if there is none, or another process removes it.
        """
        return os.path.abspath(self._path) if self._path and not self._isLater else ""

    def leave(self) -> None:
        """
        Leave the file to another process.
        """
        self._path = self._options["pidfile"] = ""

    def takeOver(self, path: str) -> None:
        """
        Write the number of this process to the file of the process before it, which is
        replaced. If that fails the file stays as it is, and the log has the reason.

        @param path: its absolute path.
        """
        temporary = f"{path}.new"
        try:
            folder, name = Folder.holding(temporary)
            with folder:
                if folder.status(name) is not None:
                    folder.unlink(name)
            descriptor = self._owner.open(
                temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE, give=False
            )
            try:
                os.write(descriptor, b"%d" % os.getpid())
            finally:
                os.close(descriptor)
            os.rename(temporary, path)
        except (OSError, TxlbError, UntrustedPath) as error:
            _log.warn(
                "the pid file {path} can't be written, and has the number of the process before: "
                "{error}",
                path=path,
                error=error,
            )
            return
        self._path = self._options["pidfile"] = path

    def discard(self) -> None:
        """
        Remove the file, if it is still the one that was made, because no service
        starts.
        """
        if self._descriptor >= 0:
            ours = os.fstat(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
            folder, name = Folder.holding(self._path)
            with folder:
                found = folder.status(name)
                if found is not None and os.path.samestat(found, ours):
                    folder.unlink(name)

    def _put(self) -> None:
        number = os.getpid()
        # A program that reads the file meanwhile finds it empty, so this is not done without need.
        if number != self._number:
            self._number = number
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, b"%d" % number, 0)

    def _make(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            if self._isLater:
                self._removeOld()
            self._descriptor = self._owner.open(self._path, flags, MODE, give=False)
            self._number = 0
        except FileExistsError:
            raise self._error("there is something of this name", "remove it, or ") from None
        except OSError as error:
            raise self._error(error.strerror or str(error)) from error
        except UntrustedPath as error:
            raise self._error(str(error), "remove it, or ") from error
        except TxlbError as error:
            raise self._error(str(error)) from error

    def _removeOld(self) -> None:
        """
        Remove the file of a process that has ended. twistd does so too, but looks for
        it in the old root.
        """
        with self._owner.rights(self._path):
            folder, name = Folder.holding(self._path)
            with folder:
                status = folder.status(name)
                if status is not None and stat.S_ISREG(status.st_mode):
                    folder.unlink(name)

    def _error(self, reason: str, remedy: str = "") -> PidFileError:
        return PidFileError(
            f"can't make the pid file {self._path}: {reason}; {remedy}name another one with "
            "--pidfile"
        )
