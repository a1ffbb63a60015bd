"""
What a process uses.
"""

from __future__ import annotations

import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from twisted.trial.unittest import SkipTest

from tests.integration.programs import waitUntil


def cpuSeconds(pid: int) -> float:
    """
    The CPU time of another process, in seconds. Linux makes a clock of it.
    """
    return time.clock_gettime((~pid) << 3 | 2)


def statusWord(pid: int, name: str) -> str:
    """
    A value of C{/proc/PID/status}.
    """
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        lines = dict(line.split(":", 1) for line in file)
    return lines[name].split()[0]


def catches(pid: int, sign: signal.Signals) -> bool:
    """
    Whether a process has a handler for a signal.
    """
    return bool(int(statusWord(pid, "SigCgt"), 16) >> (sign - 1) & 1)


def residentBytes(pid: int) -> int:
    """
    The memory that a process has.
    """
    return int(statusWord(pid, "VmRSS")) * 1024


def descriptorLimit(pid: int, limit: int | None = None) -> int:
    """
    The limit of descriptors of a process, which is set where one is given.
    """
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    if limit is not None:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, hard))
    return soft


def manyDescriptors(wanted: int) -> Callable[[], None]:
    """
    Raise this process's limit of descriptors, which the programs that it starts
    inherit.

    @return: sets it back.
    @raise SkipTest: the hard limit does not allow so many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise SkipTest(f"{wanted} descriptors are needed, and {hard} allowed")
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return lambda: None
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@dataclass(frozen=True)
class Usage:
    """
    What a process used in a while.

    @ivar cores: CPU time by time, so that 1 is a whole core.
    @ivar growth: bytes of memory that came.
    """

    cores: float
    growth: int

    @classmethod
    def during(cls, pid: int, seconds: float) -> Usage:
        """
        Watch a process for a while.
        """
        memory, cpu, began = residentBytes(pid), cpuSeconds(pid), time.monotonic()
        ends = began + seconds
        waitUntil(lambda: time.monotonic() >= ends)
        cores = (cpuSeconds(pid) - cpu) / (time.monotonic() - began)
        return cls(cores, residentBytes(pid) - memory)

    def __str__(self) -> str:
        return f"{self.cores:.1%} of a core, {self.growth / 1024:+.0f} KiB"
