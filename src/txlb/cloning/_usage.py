"""
What a process uses.
"""

from __future__ import annotations

import resource

_PAGE = resource.getpagesize() // 1024


def residentMemory(path: str = "/proc/self/statm") -> int:
    """
    Return the resident memory of this process in KiB, 0 if the system does not tell.

    The kernel's C{ru_maxrss} is no measure of it: that is the most that the process ever had,
    and begins with that of the process which started it (exec_mmap in linux/fs/exec.c).

    @param path: the file of proc(5) that tells it, in pages.
    """
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0
