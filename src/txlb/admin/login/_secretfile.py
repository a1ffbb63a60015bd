"""
Files that hold the secrets of login servers.
"""

from __future__ import annotations

import os
import stat

from txlb.admin._trust import ownershipProblem, pathProblem
from txlb.errors import TxlbError
from txlb.process import UnusableFile, readSmallFile

#: The longest file, in bytes.
MAX_SIZE = 4096

_OTHERS = 0o077


class SecretFileError(TxlbError):
    """
    A file of a secret that can't be used.
    """


def readSecret(path: str) -> bytes:
    """
    Read the first line of a file of a secret. It belongs to this process's user or to root,
    and other users can't read it.

    @raise SecretFileError: it can't be used. The message has nothing of the secret.
    """
    try:
        data, status = readSmallFile(path, MAX_SIZE)
        problem = pathProblem(os.path.abspath(path))
    except UnusableFile as error:
        raise SecretFileError(f"{path} {error}") from None
    except OSError as error:
        raise SecretFileError(f"{path} can't be read: {error.strerror}") from None
    if problem:
        raise SecretFileError(f"{path} is not used: {problem}")
    problem = ownershipProblem(status)
    if problem is None and stat.S_IMODE(status.st_mode) & _OTHERS:
        problem = f"can be read by others (mode {stat.S_IMODE(status.st_mode):04o})"
    if problem:
        raise SecretFileError(f"{path} {problem}; change that with: chmod 600 {path}")
    secret = data.split(b"\n", 1)[0].rstrip(b"\r")
    if not secret:
        raise SecretFileError(f"{path} has an empty first line; it is the secret")
    return secret
