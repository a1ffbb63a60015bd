"""
Writing a file as a whole or not at all.

A temporary file beside it is written and synced, and takes its name; then the
folder is synced. So there is the whole old file or the whole new one at every
moment, also after a power cut (P. Pillai and others, "All File Systems Are Not
Created Equal", OSDI 2014, say why it takes each of these steps).
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time

from txlb.errors import ConfigurationError, Problem
from txlb.process import Folder, UntrustedPath

#: The suffix of the name of an old file: the time, as in version 1.1.0, and a number if there
#: are several of one second.
_SUFFIX = re.compile(r"-(\d{14})(?:-(\d+))?\Z")

#: How many old files of one second there can be.
MOST_A_SECOND = 100


class FileChanged(ConfigurationError):
    """
    The file is not as it was expected; nothing was written.
    """


def writeFile(
    path: str, data: bytes, *, expected: bytes | None = None, backups: int = 0
) -> str | None:
    """
    Put C{data} into a file. A reader sees the old content or all of the new one. A file
    that exists keeps its permissions and its owner; only its owner can read a new one, as
    it has hashes in it.

    @param expected: the content that the file has to have until the last moment; L{None}
        for any, or no file at all.
    @param backups: how many old files are kept beside it, with C{-} and the local time behind
        their names, 0 for none.
    @return: the path of the old file, if it is kept.
    @raise FileChanged: the file has another content than C{expected}.
    @raise ConfigurationError: the file can't be written, or is a symbolic link, or root finds
        a link of another user's on the way to it. The old content is untouched, and nothing
        is left behind.
    """
    place, name = os.path.split(os.path.abspath(path))
    try:
        with Folder.at(place) as folder:
            kept = _writeIn(folder, name, path, data, expected, backups)
            _forgetOldest(folder, name, backups)
    except UntrustedPath as error:
        raise _error(path, f"it is not written: {error}; remove the link") from None
    except OSError as error:
        raise _error(path, f"it can't be written: {error.strerror}") from None
    return None if kept is None else f"{path}{kept.removeprefix(name)}"


def _writeIn(
    folder: Folder, name: str, path: str, data: bytes, expected: bytes | None, backups: int
) -> str | None:
    """
    Write the file in its folder.

    @return: the name of the old file, if it is kept.
    """
    temporary = f".{name}.saving"
    kept: str | None = None
    before = _status(folder, name, path)
    _writeNew(folder, temporary, data, before)
    try:
        if expected is not None:
            _expect(folder, name, path, expected)
        if before is not None and backups:
            kept = _keep(folder, name, path)
        try:
            folder.rename(temporary, name)
        except OSError:
            if kept is not None:
                folder.unlink(kept)
            raise
    except BaseException:
        folder.unlink(temporary)
        raise
    folder.sync()
    return kept


def _status(folder: Folder, name: str, path: str) -> os.stat_result | None:
    status = folder.status(name)
    if status is None:
        return None
    if stat.S_ISLNK(status.st_mode):
        raise _error(
            path,
            f"it is a symbolic link, which is not written through; the file is "
            f"{os.path.realpath(path)}",
        )
    if not stat.S_ISREG(status.st_mode):
        raise _error(path, "it is no regular file")
    return status


def _writeNew(folder: Folder, temporary: str, data: bytes, like: os.stat_result | None) -> None:
    with contextlib.suppress(FileNotFoundError):
        # A process that was killed in the middle of this may have left one.
        folder.unlink(temporary)
    descriptor = folder.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with open(descriptor, "wb", buffering=0) as file:
            if like is not None:
                if (like.st_uid, like.st_gid) != (os.geteuid(), os.fstat(descriptor).st_gid):
                    os.fchown(descriptor, like.st_uid, like.st_gid)
                os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
            view = memoryview(data)
            while view:
                view = view[file.write(view) or 0 :]
            os.fsync(descriptor)
    except BaseException:
        folder.unlink(temporary)
        raise


def _expect(folder: Folder, name: str, path: str, expected: bytes) -> None:
    try:
        with open(folder.open(name, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            found: bytes | None = file.read(len(expected) + 1)
    except FileNotFoundError:
        found = None
    if found != expected:
        raise FileChanged([Problem(path, 0, "another program has changed it meanwhile")])


def _keep(folder: Folder, name: str, path: str) -> str:
    """
    Give the present file another name beside its own.
    """
    stamp = time.strftime("%Y%m%d%H%M%S")
    for number in range(1, MOST_A_SECOND + 1):
        kept = f"{name}-{stamp}" if number == 1 else f"{name}-{stamp}-{number}"
        with contextlib.suppress(FileExistsError):
            folder.link(name, kept)
            return kept
    raise _error(path, f"there are {MOST_A_SECOND} old files of this second already")


def _forgetOldest(folder: Folder, name: str, most: int) -> None:
    """
    Remove the old files that are too many. One that can't be removed stays.
    """
    if not most:
        return
    found = []
    with contextlib.suppress(OSError):
        for each in folder.names():
            suffix = _SUFFIX.match(each[len(name) :]) if each.startswith(name) else None
            if suffix is not None:
                found.append((suffix[1], int(suffix[2] or 1), each))
    for _, _, each in sorted(found)[:-most]:
        with contextlib.suppress(OSError):
            folder.unlink(each)


def _error(path: str, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(path, 0, message)])
