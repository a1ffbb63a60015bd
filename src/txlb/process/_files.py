"""
Reading small files without trust in them.
"""

from __future__ import annotations

import os
import stat

from txlb.errors import TxlbError


class UnusableFile(TxlbError):
    """
    A path that is not that of a small file. The message is the end of a sentence that
    begins with the path.
    """


def readSmallFile(
    path: str, maxSize: int, flags: int = 0, folder: int | None = None
) -> tuple[bytes, os.stat_result]:
    """
    Read a regular file as a whole.

    @param maxSize: how long it may be, in bytes.
    @param flags: further flags for L{os.open}.
    @param folder: the descriptor of the folder in which a relative path begins; L{None} for
        the process's own.
    @return: its content, and its status.
    @raise UnusableFile: it is something else, or longer.
    @raise OSError: it can't be read.
    """
    # O_NONBLOCK: opening a FIFO must not wait.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags, dir_fd=folder)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnusableFile("is no file")
        if status.st_size > maxSize:
            raise UnusableFile(f"is longer than {maxSize} bytes")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(maxSize), status
    finally:
        os.close(descriptor)
