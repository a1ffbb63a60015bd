"""
The folder of a control socket: other users must not be able to put another socket in its
place.

A folder that is missing is made with mode 0700. One that is there, such as the
C{/var/run} of many old configuration files, may be readable for others: the socket's own
mode, 0600, and the check of the peer's user decide which clients may connect.
"""

from __future__ import annotations

import os
import stat

from txlb.errors import ListenError
from txlb.process import Folder, UntrustedPath, ownFolderRemedy

#: The longest path of a UNIX socket, in bytes.
MAX_PATH = 107


def prepareFolder(path: str) -> None:
    """
    Check that the folder of a socket is there, and that only this user and root can
    write to it. If it is missing it is made, with mode 0700.

    @param path: the socket's path.
    @raise ListenError: the folder, or a file at the path, can't be used.
    """
    address = f"unix:{path}"
    if len(os.fsencode(path)) > MAX_PATH:
        raise ListenError(
            address, f"the path of a socket has at most {MAX_PATH} bytes; take a shorter one"
        )
    folder = os.path.dirname(path)
    try:
        with Folder.at(folder, make=0o700) as opened:
            status = os.fstat(opened.descriptor)
            there = opened.status(os.path.basename(path))
    except UntrustedPath as error:
        raise ListenError(address, f"{error}; {_another()}") from error
    except OSError as error:
        raise ListenError(
            address, f"its folder {folder} can't be made: {error.strerror}"
        ) from error
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid not in {os.geteuid(), 0}:
        raise ListenError(
            address,
            f"its folder {folder} belongs to another user (uid {status.st_uid}); {_another()}",
        )
    if mode & 0o022:
        remedy = ownFolderRemedy(folder, status)
        more = f", or change that with: {remedy}" if remedy else ""
        raise ListenError(
            address,
            f"others can write to its folder {folder} (mode {mode:04o}); {_another()}{more}",
        )
    if there is not None and stat.S_ISLNK(there.st_mode):
        raise ListenError(address, "there is a symbolic link of this name; remove it")


def _another() -> str:
    """
    Return the remedy: another path, at which C{txlb} looks for the socket.
    """
    if os.geteuid() == 0:
        place = "/run"
    else:
        place = os.environ.get("XDG_RUNTIME_DIR") or os.path.expanduser("~/.local/run")
    return f'take a folder of its own, which is made: <control socket="{place}/txlb/control"/>'
