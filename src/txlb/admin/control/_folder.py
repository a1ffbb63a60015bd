"""
Where a control socket may lie: in a folder where nobody else can put another socket
in its place.

A folder that is missing is made with mode 0700. One that is there, such as the
C{/var/run} of many old configuration files, may be read by others: who may connect is
told by the socket's own mode, 0600, and by a look at the peer's user.
"""

from __future__ import annotations

import os
import stat

from txlb.errors import ListenError

#: The longest path of a UNIX socket, in bytes.
MAX_PATH = 107


def prepareFolder(path: str) -> None:
    """
    See that the folder of a socket is there, and that only this user and root can
    write to it. Where it is missing it is made, with mode 0700.

    @param path: the socket's path.
    @raise ListenError: the folder, or what lies at the path, won't do.
    """
    address = f"unix:{path}"
    if len(os.fsencode(path)) > MAX_PATH:
        raise ListenError(
            address, f"the path of a socket has at most {MAX_PATH} bytes; take a shorter one"
        )
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        status = os.stat(folder)
    except OSError as error:
        raise ListenError(
            address, f"its folder {folder} can't be made: {error.strerror}"
        ) from error
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid not in {os.geteuid(), 0}:
        raise ListenError(
            address,
            f"its folder {folder} belongs to another user (uid {status.st_uid}); "
            "take a folder of your own",
        )
    if mode & 0o022:
        raise ListenError(
            address,
            f"others can write to its folder {folder} (mode {mode:04o}); take a folder of its "
            f"own, or change that with: chmod 700 {folder}",
        )
    if os.path.islink(path):
        raise ListenError(address, "there is a symbolic link of this name; remove it")
