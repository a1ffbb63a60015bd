"""
What tells a file from another one at its path.
"""

from __future__ import annotations

import os

#: Device, number, size, time of change.
Stamp = tuple[int, int, int, int]


def stampOf(path: str) -> Stamp | None:
    """
    Return the stamp of the file at a path; L{None} if there is none, as it is being replaced, for
    example.
    """
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
