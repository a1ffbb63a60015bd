"""
Opening of folders without following symbolic links that another user may have made.

With root's rights a symbolic link at the name of a file, or of a folder above it, makes
the process open or create any file that the link's maker chose (CVE-2016-1247 of nginx
packages is of this class). So root walks to a file folder by folder, opens each by its
name in the one before (openat(2)), and follows a link only in a folder that only root
can write to.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import Self

from txlb.errors import TxlbError

#: The most links on one path, as in the kernel (C{MAXSYMLINKS}).
MOST_LINKS = 40

#: A folder that may be entered need not be readable.
_ENTER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC


class UntrustedPath(TxlbError):
    """
    The path to a file has a symbolic link that a user other than root may have made.
    """


class Folder:
    """
    An open folder. Names are looked up in this folder, even if its path changes. Close
    it, or use it in a C{with} statement.

    @param descriptor: the folder's descriptor, which this object owns from now on.
    @param path: the folder's path without links, for messages.
    @param exposed: whether users other than root can replace the folder or put files
        into it. Only root determines it; for other users it is L{False}.
    """

    def __init__(self, descriptor: int, path: str, exposed: bool = False) -> None:
        self._descriptor = descriptor
        self.path = path
        self.exposed = exposed

    @classmethod
    def holding(cls, path: str) -> tuple[Folder, str]:
        """
        Open the folder of a file, which need not exist. If the file's name is a link,
        open the folder of the link's target.

        @return: the folder, and the file's name in it.
        @raise UntrustedPath: the process has root's rights, and a link on the path
            can't be trusted.
        @raise OSError: the folder does not exist, or it can't be entered.
        """
        if os.geteuid() == 0:
            return _Walk(path).toLast()
        folder, name = os.path.split(os.path.realpath(path))
        return cls(os.open(folder, _ENTER), folder), name

    @classmethod
    def at(cls, path: str, make: int | None = None) -> Folder:
        """
        Open a folder.

        @param make: the mode of the new folder if it does not exist; L{None} to make
            none. Missing folders above it get the mode that the umask leaves.
        @raise UntrustedPath: the process has root's rights, and a link on the path
            can't be trusted.
        @raise OSError: the folder does not exist, or it can't be made or entered.
        """
        if os.geteuid() == 0:
            return _Walk(path, make).toEnd()
        real = os.path.realpath(path)
        if make is not None:
            os.makedirs(real, mode=make, exist_ok=True)
        return cls(os.open(real, _ENTER), real)

    @property
    def descriptor(self) -> int:
        """
        The folder's descriptor, for the C{dir_fd} of functions of L{os}.
        """
        return self._descriptor

    def status(self, name: str) -> os.stat_result | None:
        """
        Return the status of a name in this folder, the link's own if it is a link.

        @return: L{None} if the name does not exist.
        """
        try:
            return os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open(self, name: str, flags: int, mode: int = 0o600) -> int:
        """
        Open a file in this folder. A link is refused.

        @param flags: as for L{os.open}; C{O_NOFOLLOW} and C{O_CLOEXEC} are added.
        @raise OSError: the file can't be opened.
        """
        flags |= os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(name, flags, mode, dir_fd=self._descriptor)

    def rename(self, old: str, new: str) -> None:
        """
        Rename a file in this folder, and replace a file of the new name.
        """
        os.rename(old, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def link(self, old: str, new: str) -> None:
        """
        Give a file a second name in this folder.

        @raise FileExistsError: the second name exists.
        """
        os.link(
            old,
            new,
            src_dir_fd=self._descriptor,
            dst_dir_fd=self._descriptor,
            follow_symlinks=False,
        )

    def unlink(self, name: str) -> None:
        """
        Remove a file's name.
        """
        os.unlink(name, dir_fd=self._descriptor)

    def names(self) -> list[str]:
        """
        Return the names in the folder, in no order.

        @raise OSError: the folder can't be read.
        """
        with self._readable() as descriptor:
            return os.listdir(descriptor)

    def sync(self) -> None:
        """
        Write new names of the folder to the disk.
        """
        with self._readable() as descriptor:
            os.fsync(descriptor)

    @contextlib.contextmanager
    def _readable(self) -> Iterator[int]:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        descriptor = os.open(".", flags, dir_fd=self._descriptor)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """
        Close the folder's descriptor.
        """
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()


def isExposed(path: str) -> bool:
    """
    Tell whether users other than root can decide what root finds at a path: one of them
    can write to its folder, rename a folder above it, or make a link there.

    @raise OSError: the existing part of the path can't be walked.
    """
    try:
        return _Walk(path).isExposed()
    except UntrustedPath:
        return True


def ownFolderRemedy(path: str, status: os.stat_result) -> str:
    """
    Return the command that removes other users' write permission from a folder, if the
    folder belongs to this user alone. A folder such as C{/tmp}, or one of a group, is
    shared on purpose: to change its mode breaks other programs.

    @param status: the folder's status.
    @return: a command, or an empty text.
    """
    mode = stat.S_IMODE(status.st_mode)
    isShared = mode & stat.S_ISVTX or (mode & stat.S_IWGRP and status.st_gid != os.getegid())
    if isShared or status.st_uid != os.geteuid():
        return ""
    return f"chmod go-w {path}"


class _Walk:
    """
    Root's walk to a path, from the root folder on.

    @param make: see L{Folder.at}.
    """

    def __init__(self, path: str, make: int | None = None) -> None:
        self._path = os.path.abspath(path)
        self._make = make
        self._ahead = [name for name in reversed(self._path.split("/")) if name]
        self._names: list[str] = []
        self._links = 0
        self._exposed = False
        self._here = os.open("/", _ENTER)
        # In a user namespace, root's files need not have uid 0.
        self._trusted = {0, os.fstat(self._here).st_uid}

    def toLast(self) -> tuple[Folder, str]:
        """
        Walk to the folder of the last name.
        """
        try:
            last = self._go(whole=False)
        except BaseException:
            os.close(self._here)
            raise
        if last is None:
            os.close(self._here)
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), self._path)
        return self._folder(), last

    def toEnd(self) -> Folder:
        """
        Walk into the last name, which is a folder.
        """
        try:
            self._go(whole=True)
        except BaseException:
            os.close(self._here)
            raise
        return self._folder()

    def isExposed(self) -> bool:
        """
        Walk as far as the path exists, and tell whether it is exposed.
        """
        try:
            self._go(whole=False)
            return self._exposed or self._isOpenToOthers()
        except FileNotFoundError:
            return self._exposed or self._isOpenToOthers()
        finally:
            os.close(self._here)

    def _folder(self) -> Folder:
        exposed = self._exposed or self._isOpenToOthers()
        return Folder(self._here, "/" + "/".join(self._names), exposed)

    def _go(self, whole: bool) -> str | None:
        while self._ahead:
            name = self._ahead.pop()
            if name in {"", "."}:
                continue
            status = self._status(name)
            if status is not None and stat.S_ISLNK(status.st_mode):
                self._follow(name)
            elif self._ahead or whole:
                self._enter(name, status)
            else:
                return name
        return None

    def _status(self, name: str) -> os.stat_result | None:
        try:
            return os.stat(name, dir_fd=self._here, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _isOpenToOthers(self, child: os.stat_result | None = None) -> bool:
        """
        Tell whether others can change names in the current folder.

        @param child: the status of the one name to ask for.
        """
        status = os.fstat(self._here)
        if status.st_uid not in self._trusted:
            return True
        # The group of gid 0 belongs to root.
        writable = stat.S_IWOTH | (stat.S_IWGRP if status.st_gid else 0)
        if not status.st_mode & writable:
            return False
        sticky = status.st_mode & stat.S_ISVTX and child is not None
        return not (sticky and child is not None and child.st_uid in self._trusted)

    def _follow(self, name: str) -> None:
        if self._isOpenToOthers():
            where = "/" + "/".join([*self._names, name])
            raise UntrustedPath(
                f"{where} is a symbolic link in a folder that others than root can write to, and "
                "is not followed with root's rights"
            )
        self._links += 1
        if self._links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), self._path)
        target = os.readlink(name, dir_fd=self._here)
        if target.startswith("/"):
            self._move(os.open("/", _ENTER))
            self._names.clear()
        self._ahead.extend(reversed(target.split("/")))

    def _enter(self, name: str, status: os.stat_result | None) -> None:
        if status is None:
            if self._make is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self._path)
            self._makeHere(name)
        if name != ".." and self._isOpenToOthers(status):
            self._exposed = True
        self._move(os.open(name, _ENTER | os.O_NOFOLLOW, dir_fd=self._here))
        if name != "..":
            self._names.append(name)
        elif self._names:
            self._names.pop()

    def _makeHere(self, name: str) -> None:
        mode = 0o777 if any(self._ahead) or self._make is None else self._make
        try:
            os.mkdir(name, mode, dir_fd=self._here)
        except FileExistsError:
            # Another process made it first. If it made a link, the walk does not enter
            # it.
            pass

    def _move(self, descriptor: int) -> None:
        os.close(self._here)
        self._here = descriptor
