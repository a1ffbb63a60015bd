"""
How an application is cloned.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

from txlb.cloning._rendezvous import CloningError

#: Clones of one application, at most.
MOST_CLONES = 256

#: Processes that may have connected and not introduced themselves, and clones, at most.
MOST_PROCESSES = 1024


@dataclass(frozen=True)
class CloneSettings:
    """
    How an application is cloned.

    @ivar processes: the clones that there are to be, 1 to L{MOST_CLONES}.
    @ivar graceTime: seconds that a clone which ends gives its connections.
    @ivar standby: whether one more process waits, ready to manage.
    @raise CloningError: a setting is wrong.
    """

    processes: int
    graceTime: float = 30.0
    standby: bool = True

    def __post_init__(self) -> None:
        processCount(self.processes)
        grace = self.graceTime
        if isinstance(grace, bool) or not isinstance(grace, (int, float)):
            raise CloningError(f"graceTime is {grace!r}, no number of seconds")
        if not 0 <= grace < math.inf:
            raise CloningError(f"graceTime is {grace!r}: give 0 seconds or more")


def processCount(processes: object) -> int:
    """
    Check the number of clones.

    @param processes: a number, or C{"auto"} for one for each CPU that this process may use.
    @raise CloningError: it is neither.
    """
    if processes == "auto":
        return min(availableCPUs(), MOST_CLONES)
    if isinstance(processes, bool) or not isinstance(processes, int):
        raise CloningError(f"processes is {processes!r}, neither a whole number nor 'auto'")
    if not 1 <= processes <= MOST_CLONES:
        raise CloningError(f"processes is {processes}: give 1 to {MOST_CLONES}, or 'auto'")
    return processes


def availableCPUs(root: str = "/sys/fs/cgroup", own: str = "/proc/self/cgroup") -> int:
    """
    Count the CPUs that this process may use: its affinity, and the quotas of the control
    groups that it is in (cgroup v2, C{cpu.max}; a part of a CPU counts as one).

    @return: 1 or more.
    """
    count = len(os.sched_getaffinity(0))
    for path in _groups(Path(root), own):
        quota = _quota(path / "cpu.max")
        if quota is not None:
            count = min(count, quota)
    return max(1, count)


def _groups(root: Path, own: str) -> list[Path]:
    try:
        lines = Path(own).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
    inside = next((line[3:] for line in lines if line.startswith("0::")), None)
    if inside is None:
        return []
    path = root / inside.lstrip("/")
    return [path, *(each for each in path.parents if each == root or root in each.parents)]


def _quota(path: Path) -> int | None:
    try:
        quota, period = path.read_text(encoding="ascii").split()
        return None if quota == "max" else -(-int(quota) // int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return None
