"""
Trust in files: only this process's user and root can have changed a trusted file, or can put
another file in its place.

sshd's C{StrictModes} asks the same of C{authorized_keys}. Here the folders that lead to a
symbolic link are looked at too. In one thing this asks for less: a folder of root's that all
users may write to, with the sticky bit as C{/tmp} has it, may be above a folder that other
users can't write to, as they can't rename that one.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

#: Symbolic links that are followed on one path. Linux follows 40.
MAX_LINKS = 40

_WRITABLE = 0o022


def ownershipProblem(status: os.stat_result) -> str | None:
    """
    Return why a file with such a status can't be trusted: users other than this process's
    user and root could have changed it. L{None} if they could not.
    """
    if status.st_uid not in _trusted():
        return f"belongs to another user (uid {status.st_uid})"
    if stat.S_IMODE(status.st_mode) & _WRITABLE:
        return f"can be written to by others (mode {stat.S_IMODE(status.st_mode):04o})"
    return None


def pathProblem(path: str) -> str | None:
    """
    Return why a path can't be trusted because of the folders and links on it.

    @param path: an absolute path. The file at its end is not looked at, see
        L{ownershipProblem}.
    @return: a sentence that names the folder and says what to do; L{None} if nothing is
        wrong.
    @raise OSError: the path does not lead anywhere.
    """
    for place in _places(path):
        status = os.lstat(place)
        if stat.S_ISLNK(status.st_mode):
            if status.st_uid not in _trusted():
                return f"the link {place} belongs to another user (uid {status.st_uid})"
        elif not _isSticky(status):
            problem = ownershipProblem(status)
            if problem:
                remedy = _remedy(status, place)
                return f"its folder {place} {problem}; change that with: {remedy}"
    return None


def _trusted() -> set[int]:
    # In a namespace of its own users, root's files are not uid 0's.
    return {os.geteuid(), 0, os.stat("/").st_uid}


def _isSticky(status: os.stat_result) -> bool:
    return status.st_uid in _trusted() and bool(status.st_mode & stat.S_ISVTX)


def _remedy(status: os.stat_result, folder: str) -> str:
    if status.st_uid not in _trusted():
        return f"chown {os.geteuid()} {folder}"
    return f"chmod go-w {folder}"


def _places(path: str) -> Iterator[str]:
    """
    Yield every folder that the system goes through, from the root on, and every symbolic
    link that it follows; each once.
    """
    seen: set[str] = set()
    links = 0
    todo = [path]
    while todo:
        folder = "/"
        parts = [part for part in todo.pop().split("/") if part not in {"", "."}]
        for number, part in enumerate(parts):
            if folder not in seen:
                seen.add(folder)
                yield folder
            if part == "..":
                folder = os.path.dirname(folder)
                continue
            here = os.path.join(folder, part)
            if not os.path.islink(here):
                folder = here
                continue
            links += 1
            if links > MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            yield here
            target = os.path.join(folder, os.readlink(here))
            todo.append(os.path.join(target, *parts[number + 1 :]))
            break
