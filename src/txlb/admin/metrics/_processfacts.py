"""
The facts of this process that metrics show.
"""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version

from txlb._version import __version__

_PAGE = resource.getpagesize()
_TICK = os.sysconf("SC_CLK_TCK")

#: Counting the entries of a folder of proc(5) takes about a microsecond for each. With more
#: descriptors than this the number is left out, if the kernel does not tell it (before Linux
#: 6.2).
MOST_COUNTED = 2000


class ProcessFacts:
    """
    This process at the time of a scrape. What can't be read is L{None}.

    @param folder: that of the process in proc(5).
    @param connections: the number of its connections, each with two descriptors.
    """

    def __init__(self, connections: int = 0, folder: str = "/proc/self") -> None:
        self._folder = folder
        self._connections = connections
        self._pages = self._fields("statm")
        self.limit: int | None = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if self.limit == resource.RLIM_INFINITY:
            self.limit = None

    def _fields(self, name: str) -> list[str]:
        try:
            with open(os.path.join(self._folder, name), encoding="utf-8") as file:
                # The second field of stat is a name in brackets, which may have blanks.
                return file.read().rpartition(")")[2].split()
        except OSError:
            return []

    @property
    def cpuSeconds(self) -> float:
        """
        Seconds of CPU that it has used, in user mode and in the kernel.
        """
        return time.process_time()

    @property
    def residentBytes(self) -> int | None:
        """
        Its memory that is resident.
        """
        return int(self._pages[1]) * _PAGE if self._pages else None

    @property
    def virtualBytes(self) -> int | None:
        """
        The size of its address space.
        """
        return int(self._pages[0]) * _PAGE if self._pages else None

    @property
    def startSeconds(self) -> float | None:
        """
        When it was started, in seconds since 1970.
        """
        fields = self._fields("stat")
        boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        # Field 22 of proc(5), counted from the third.
        return round(boot + int(fields[19]) / _TICK, 2) if fields else None

    @property
    def descriptors(self) -> int | None:
        """
        Its descriptors that are open.
        """
        folder = os.path.join(self._folder, "fd")
        try:
            told = os.stat(folder).st_size
            if told:
                return told
            if 2 * self._connections > MOST_COUNTED:
                return None
            return len(os.listdir(folder))
        except OSError:
            return None

    @property
    def build(self) -> Mapping[str, str]:
        """
        The versions of what runs.
        """
        return _build()


@cache
def _build() -> Mapping[str, str]:
    # Reading the version of a distribution takes milliseconds.
    return {
        "version": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "twisted": version("twisted"),
    }
