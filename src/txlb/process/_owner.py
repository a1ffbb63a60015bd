"""
The user of the process after twistd has given up root's rights, which it does after the
services were made.
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
    A file can't be given to another user, or the process can't get that user's rights.
    """


class Owner:
    """
    The user and group that twistd gives the process, by C{--uid} and C{--gid}. Files
    that are made before that, and that the process has to write, rename or remove
    afterwards, are given to them.

    A file is opened with root's rights only if only root decides what is at its path.
    Otherwise it is opened with the user's rights, so that a link leads the process only
    to files that the user could open as well.

    @param uid: L{None} for no change.
    @param gid: likewise.
    """

    def __init__(self, uid: int | None = None, gid: int | None = None) -> None:
        self.uid = uid
        self.gid = gid

    @classmethod
    def fromTwistd(cls, options: Mapping[str, object] | None) -> Owner:
        """
        Make an owner from twistd's own options. Like twistd, use the group of the user
        if no group is given.

        @param options: L{None} if twistd does not run the process.
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
        Whether the process has root's rights now and gives them up later.
        """
        return os.geteuid() == 0 and (self.uid, self.gid) != (None, None)

    @contextlib.contextmanager
    def rights(self, path: str) -> Iterator[bool]:
        """
        Take the rights for opening, making or removing a file, within the C{with}
        statement.

        @param path: a file, which need not exist.
        @return: whether they are the user's rights, and not those of the process.
        @raise OwnerError: the process can't get the user's rights.
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
            # Setting the same groups needs no rights.
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
        Open a file that the process writes later.

        @param flags: as for L{os.open}. C{O_CREAT} makes the file.
        @param mode: the mode of a new file, before the umask.
        @param give: whether a file that is opened with root's rights is given to the
            user.
        @return: the descriptor, close-on-exec.
        @raise OwnerError: the file can't be given to the user.
        @raise UntrustedPath: the file would be opened with root's rights, and a link on
            its path can't be trusted.
        @raise OSError: the file can't be opened.
        """
        asUser = False
        try:
            with self.rights(path) as asUser:
                descriptor = _open(path, flags, mode)
        except PermissionError as refused:
            if not (asUser and flags & os.O_CREAT):
                raise
            # The user can't make files there, as in a /var/log of root and a group. A
            # new file can't belong to another user, so root can make it.
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
        # The null device remains root's.
        if not self.isAnother or not stat.S_ISREG(status.st_mode):
            return
        self._check(path, status)
        try:
            os.fchown(descriptor, *self._ids)
        except OSError as error:
            raise self._cantGive(path, error) from error

    def give(self, path: str) -> None:
        """
        Give a file or socket to the user and group. Do nothing if no rights are given
        up, or if the file was made with the user's rights.

        @raise OwnerError: the file can't be given to them, or it has other names as
            well.
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
        Tell whether rights are given up, and the process can't make, rename or remove
        files in a folder afterwards, judged by the folder's owner and mode.
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
        # There is no such path; opening it reports that.
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
