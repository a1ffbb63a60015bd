"""
The user that the process will belong to: twistd gives up root's rights after the
services have been made.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
from collections.abc import Iterator, Mapping

from txlb.errors import TxlbError
from txlb.process._folder import Folder, isExposed


class OwnerError(TxlbError):
    """
    A file can't be made another user's, or that user's rights can't be had.
    """


class Owner:
    """
    The user and group that twistd makes the process's own, by C{--uid} and C{--gid}.
    What is made before that, and is to be written, renamed or removed by the process
    afterwards, becomes theirs.

    A file is opened with root's rights only if nobody but root decides what there is at
    its path. Otherwise it is opened with the user's rights, so that a link in the way
    leads the process nowhere that the user could not go without it.

    @param uid: L{None} for no change.
    @param gid: likewise.
    """

    def __init__(self, uid: int | None = None, gid: int | None = None) -> None:
        self.uid = uid
        self.gid = gid

    @classmethod
    def fromTwistd(cls, options: Mapping[str, object] | None) -> Owner:
        """
        Make it from twistd's own options. Like twistd, take the user's own group if there
        is none.

        @param options: L{None} if it is not twistd that runs the process.
        """
        found = [None if options is None else options.get(name) for name in ("uid", "gid")]
        uid, gid = (each if isinstance(each, int) else None for each in found)
        if uid is not None and gid is None:
            with contextlib.suppress(KeyError):
                gid = pwd.getpwuid(uid).pw_gid
        return cls(uid, gid)

    @property
    def isAnother(self) -> bool:
        """
        Whether this process is root's and will not be.
        """
        return os.geteuid() == 0 and (self.uid, self.gid) != (None, None)

    @contextlib.contextmanager
    def rights(self, path: str) -> Iterator[bool]:
        """
        Have the rights, within the C{with} statement, with which something at a path is to
        be opened, made or removed.

        @param path: a file that need not be there yet.
        @return: whether they are the user's, and not those that the process has.
        @raise OwnerError: the user's rights can't be had.
        """
        if not self.isAnother or not self.uid or not _isExposed(path):
            yield False
            return
        groups, group = os.getgroups(), os.getegid()
        try:
            try:
                self._become(self.uid)
            except OSError as error:
                raise OwnerError(
                    f"the rights of uid {self.uid}, with which {path} has to be opened, can't be "
                    f"had: {error.strerror}"
                ) from error
            yield True
        finally:
            os.seteuid(0)
            os.setegid(group)
            # The same groups need no right to set them.
            if os.getgroups() != groups:
                os.setgroups(groups)

    def _become(self, uid: int) -> None:
        gid = os.getegid() if self.gid is None else self.gid
        try:
            os.initgroups(pwd.getpwuid(uid).pw_name, gid)
        except KeyError:
            os.setgroups([gid])
        os.setegid(gid)
        os.seteuid(uid)

    def open(self, path: str, flags: int, mode: int, *, give: bool = True) -> int:
        """
        Open a file that the process will write.

        @param flags: as for L{os.open}. C{O_CREAT} makes it.
        @param mode: the mode of a file that is made, less what the umask takes away.
        @param give: whether a file that is opened with root's rights becomes the user's.
        @return: the descriptor, close-on-exec.
        @raise OwnerError: it can't be made the user's.
        @raise UntrustedPath: it would be opened with root's rights, and there is a link that
            can't be trusted.
        @raise OSError: it can't be opened.
        """
        asUser = False
        try:
            with self.rights(path) as asUser:
                descriptor = _open(path, flags, mode)
        except PermissionError as refused:
            if not (asUser and flags & os.O_CREAT):
                raise
            # The user can't make files there, as in a /var/log that is root's and a group's.
            # A file that is new is nobody else's, so that root can make it.
            try:
                descriptor = _open(path, flags | os.O_EXCL, mode)
            except FileExistsError:
                raise refused from None
        else:
            if asUser:
                return descriptor
        try:
            if give:
                self._giveOpen(path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _giveOpen(self, path: str, descriptor: int) -> None:
        status = os.fstat(descriptor)
        # The null device stays root's.
        if not self.isAnother or not stat.S_ISREG(status.st_mode):
            return
        self._check(path, status)
        try:
            os.fchown(descriptor, *self._ids)
        except OSError as error:
            raise self._cantGive(path, error) from error

    def give(self, path: str) -> None:
        """
        Make a file or socket theirs. Nothing happens if no rights are given up, or if it
        was made with the user's rights.

        @raise OwnerError: it can't be, or it has other names as well.
        """
        if not self.isAnother:
            return
        try:
            status = os.lstat(path)
            if self.uid and status.st_uid == self.uid:
                return
            self._check(path, status)
            os.chown(path, *self._ids, follow_symlinks=False)
        except OSError as error:
            raise self._cantGive(path, error) from error

    @property
    def _ids(self) -> tuple[int, int]:
        return -1 if self.uid is None else self.uid, -1 if self.gid is None else self.gid

    def _check(self, path: str, status: os.stat_result) -> None:
        if status.st_nlink > 1:
            raise OwnerError(
                f"{path} has other names as well, and is not given to uid {self.uid}; remove it"
            )

    def _cantGive(self, path: str, error: OSError) -> OwnerError:
        return OwnerError(f"{path} can't be given to uid {self.uid}: {error.strerror}")

    def cantWriteTo(self, folder: str) -> bool:
        """
        Whether rights are given up, and files in a folder can't be made, renamed
        or removed afterwards, as far as its owner and its mode tell.
        """
        if not self.isAnother or not self.uid:
            return False
        status = os.stat(folder)
        if status.st_uid == self.uid:
            return not status.st_mode & stat.S_IWUSR
        if self.gid is not None and status.st_gid == self.gid:
            return not status.st_mode & stat.S_IWGRP
        return not status.st_mode & stat.S_IWOTH


def _isExposed(path: str) -> bool:
    try:
        return isExposed(path)
    except OSError:
        # There is no such way; opening it says so.
        return False


def _open(path: str, flags: int, mode: int) -> int:
    folder, name = Folder.holding(path)
    with folder:
        descriptor = folder.open(name, flags, mode)
        status = os.fstat(descriptor)
        if folder.exposed and stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            os.close(descriptor)
            raise OwnerError(
                f"{path} has other names as well, in a folder that others than root can write to; "
                "remove it"
            )
        return descriptor
