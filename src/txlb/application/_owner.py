"""
Whose process it will be: twistd gives up root's rights after everything has been
opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from txlb.errors import TxlbError


class OwnerError(TxlbError):
    """
    Something can't be made another user's.
    """


class Owner:
    """
    The user and group that twistd makes the process's own, by C{--uid} and
    C{--gid}. What was made before that for the process to write, rename or remove
    is given to them.

    @param uid: L{None} for no change.
    @param gid: likewise.
    """

    def __init__(self, uid: int | None = None, gid: int | None = None) -> None:
        self.uid = uid
        self.gid = gid

    @classmethod
    def fromTwistd(cls, options: Mapping[str, object] | None) -> Owner:
        """
        As twistd's own options say; nobody else where there are none.
        """
        found = [None if options is None else options.get(name) for name in ("uid", "gid")]
        return cls(*(each if isinstance(each, int) else None for each in found))

    @property
    def _isAnother(self) -> bool:
        return os.geteuid() == 0 and (self.uid, self.gid) != (None, None)

    def give(self, path: str) -> None:
        """
        Make a file or socket theirs. Nothing happens where no rights are given
        up.

        @raise OwnerError: it can't be, or it has other names as well: in a folder
            of theirs somebody may have put another's file there by this one.
        """
        if not self._isAnother:
            return
        uid, gid = (-1 if each is None else each for each in (self.uid, self.gid))
        try:
            if os.lstat(path).st_nlink > 1:
                raise OwnerError(
                    f"{path} has other names as well, and is not given to uid {self.uid}; remove it"
                )
            os.chown(path, uid, gid, follow_symlinks=False)
        except OSError as error:
            raise OwnerError(
                f"{path} can't be given to uid {self.uid}: {error.strerror}"
            ) from error

    def cantWriteTo(self, folder: str) -> bool:
        """
        Whether rights are given up, and files in a folder can't be made, renamed
        or removed afterwards, as far as its owner and its mode tell.
        """
        if not self._isAnother or not self.uid:
            return False
        status = os.stat(folder)
        if status.st_uid == self.uid:
            return not status.st_mode & stat.S_IWUSR
        if self.gid is not None and status.st_gid == self.gid:
            return not status.st_mode & stat.S_IWGRP
        return not status.st_mode & stat.S_IWOTH
