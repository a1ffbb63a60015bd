"""
The machine: its cores, its clocks, and what the figures depend on.
"""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")

#: Linux's CPUCLOCK_SCHED: the clock of a process that counts its CPU in
#: nanoseconds, all threads together.
CPU_CLOCK = 2

#: All cores that this process may use.
CORES = sorted(os.sched_getaffinity(0))

#: Where the proxies run, and where everything else does.
PROXY_CORE = CORES[0]
OTHER_CORE = CORES[-1]


def stayOn(*cores: int) -> None:
    """
    Keep this process, and what it starts from now on, on these cores.
    """
    os.sched_setaffinity(0, cores)


def comeFirst() -> None:
    """
    Have this thread, and the threads that it starts, run on the core of the clients before
    everything else there, so that it measures the proxy and not its neighbours. Only root may;
    for others it does nothing.
    """
    stayOn(OTHER_CORE)
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def comeLast() -> None:
    """
    Have this process run on the core of the clients only while nothing else would.
    """
    stayOn(OTHER_CORE)
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


@contextlib.contextmanager
def startingOn(*cores: int) -> Iterator[None]:
    """
    Programs that are started inside run on these cores.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def family(pid: int) -> list[int]:
    """
    Return a process with all its descendants.
    """
    pids = [pid]
    for parent in pids:
        # What is appended is looked at too.
        with contextlib.suppress(OSError):
            for task in (PROC / str(parent) / "task").iterdir():
                pids += map(int, (task / "children").read_text(encoding="ascii").split())
    return pids


def cpuTime(pids: list[int]) -> int:
    """
    Return the CPU time of processes so far, together, in nanoseconds.
    """
    return sum(time.clock_gettime_ns((~pid) << 3 | CPU_CLOCK) for pid in pids)


def privateMemory(pids: list[int]) -> int:
    """
    Return the private memory of processes, in bytes.
    """
    total = 0
    for pid in pids:
        text = (PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii")
        for line in text.splitlines():
            if line.startswith(("Private_Clean:", "Private_Dirty:")):
                total += int(line.split()[1]) * 1024
    return total


def residentMemory(pid: int) -> int:
    """
    Return the resident set of a process, in bytes.
    """
    pages = (PROC / str(pid) / "statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize()


def descriptors(pid: int) -> int:
    """
    How many descriptors a process has open.
    """
    return len(os.listdir(PROC / str(pid) / "fd"))


def raiseDescriptorLimit() -> int:
    """
    Raise the limit of descriptors to its hard value.

    @return: that.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        hard = 1 << 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _python() -> str:
    """
    Return the interpreter and its source: one that is built by hand may lack the
    optimizations that make those of distributions a fifth faster.
    """
    whose = "the system's" if sys.base_prefix == "/usr" else "not the system's"
    return f"{platform.python_implementation()} {platform.python_version()}, {whose}"


def _congestionControl() -> str:
    """
    Return the system's default congestion control.
    """
    path = PROC / "sys/net/ipv4/tcp_congestion_control"
    return path.read_text(encoding="ascii").strip()


def describe() -> dict[str, str]:
    """
    Describe the machine for a reader.
    """
    return {
        "processor": _processor(),
        "cores": str(len(CORES)),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "unknown"),
        "congestion control": _congestionControl(),
        "python": _python(),
        "descriptors": str(resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def _processor() -> str:
    for line in (PROC / "cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
