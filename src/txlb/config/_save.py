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

#: What follows on the name of an old file: as version 1.1.0 called them, and a
#: number where there were several in one second.
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
    Put C{data} into a file. Who reads it sees what was there before or all of
    what is there now. The permissions and the owner of a file that is there
    stay; a new one can be read by its owner only, as it has hashes in it.

    @param expected: what has to be in it until the last moment; L{None} for
        anything, or no file at all.
    @param backups: how many old files are kept beside it, called C{-} and the
        local time, 0 for none.
    @return: the path of the old file, where it is kept.
    @raise FileChanged: something else than C{expected} is in it.
    @raise ConfigurationError: it can't be written, or is a symbolic link; what
        was there is untouched, and nothing was left behind.
    """
    folder, name = os.path.split(os.path.abspath(path))
    temporary = os.path.join(folder, f".{name}.saving")
    kept: str | None = None
    try:
        before = _status(path)
        _writeNew(temporary, data, before)
        try:
            if expected is not None:
                _expect(path, expected)
            if before is not None and backups:
                kept = _keep(path)
            try:
                os.replace(temporary, path)
            except OSError:
                if kept is not None:
                    os.unlink(kept)
                raise
        except BaseException:
            os.unlink(temporary)
            raise
        _syncFolder(folder)
    except OSError as error:
        raise _error(path, f"it can't be written: {error.strerror}") from None
    _forgetOldest(folder, name, backups)
    return kept


def _status(path: str) -> os.stat_result | None:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
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


def _writeNew(temporary: str, data: bytes, like: os.stat_result | None) -> None:
    with contextlib.suppress(FileNotFoundError):
        # Of a process that was killed in the middle of it.
        os.unlink(temporary)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600)
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
        os.unlink(temporary)
        raise


def _expect(path: str, expected: bytes) -> None:
    try:
        with open(path, "rb") as file:
            found: bytes | None = file.read(len(expected) + 1)
    except FileNotFoundError:
        found = None
    if found != expected:
        raise FileChanged([Problem(path, 0, "it was changed by somebody else meanwhile")])


def _keep(path: str) -> str:
    """
    Give what is there another name beside its own.
    """
    stamp = time.strftime("%Y%m%d%H%M%S")
    for number in range(1, MOST_A_SECOND + 1):
        kept = f"{path}-{stamp}" if number == 1 else f"{path}-{stamp}-{number}"
        with contextlib.suppress(FileExistsError):
            os.link(path, kept, follow_symlinks=False)
            return kept
    raise _error(path, f"there are {MOST_A_SECOND} old files of this second already")


def _forgetOldest(folder: str, name: str, most: int) -> None:
    """
    Remove the old files that are too many. Where one can't be, it stays.
    """
    if not most:
        return
    found = []
    with contextlib.suppress(OSError):
        for each in os.listdir(folder):
            suffix = _SUFFIX.match(each[len(name) :]) if each.startswith(name) else None
            if suffix is not None:
                found.append((suffix[1], int(suffix[2] or 1), each))
    for _, _, each in sorted(found)[:-most]:
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(folder, each))


def _syncFolder(folder: str) -> None:
    """
    Make the new name last, too.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _error(path: str, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(path, 0, message)])
