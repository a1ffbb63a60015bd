"""
What is left of a machine or of a process.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol

from txlb.errors import TxlbError

#: Below this share of free memory a machine counts as less than all there.
MEMORY_NEEDED = 0.2

#: Seconds that a reactor may be late before half of its process counts as used.
LAG = 0.05


class Measure(Protocol):
    """
    Says what is left, from 0 to 1, since it was asked the last time.
    """

    def left(self, lag: float) -> float:
        """
        @param lag: seconds that the reactor was late at most since then, 0 or more.
        """


class MachineMeasure:
    """
    What is left of a machine: the least of

      - the share of its CPUs' time that was idle since the last call;
      - where less than a fifth of its memory is free, that part of a fifth;
      - where more threads wanted to run in the last minute than it has CPUs
        (its load average), the CPUs' part of them.

    @param psutil: the library; by default imported.
    @raise TxlbError: psutil is not installed.
    """

    def __init__(self, psutil: Any = None) -> None:
        self._psutil = psutil if psutil is not None else importPsutil("machine")
        self._psutil.cpu_percent(None)

    def left(self, lag: float) -> float:
        idle = 1 - self._psutil.cpu_percent(None) / 100
        memory = self._psutil.virtual_memory()
        free = memory.available / memory.total / MEMORY_NEEDED
        wanted = self._psutil.getloadavg()[0] / (self._psutil.cpu_count() or 1)
        return _inRange(min(idle, free, 1 / wanted if wanted > 1 else 1.0))


class ProcessMeasure:
    """
    What is left of this process, whose reactor can use one CPU: the least of

      - the share of one CPU's time that it did not use since the last call;
      - how punctual its reactor is: a half where it was 0.05 s late.

    @param seconds: a monotonic clock.
    @param psutil: the library; by default imported.
    @raise TxlbError: psutil is not installed.
    """

    def __init__(self, seconds: Callable[[], float], psutil: Any = None) -> None:
        self._seconds = seconds
        self._process = (psutil if psutil is not None else importPsutil("process")).Process()
        self._at, self._used = seconds(), self._time()
        self._idle = 1.0

    def _time(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def left(self, lag: float) -> float:
        now, used = self._seconds(), self._time()
        if now > self._at:
            self._idle = 1 - (used - self._used) / (now - self._at)
            self._at, self._used = now, used
        return _inRange(min(self._idle, LAG / (LAG + lag)))


def _inRange(share: float) -> float:
    return min(max(share, 0.0), 1.0)


def importPsutil(scope: str) -> Any:
    """
    @raise TxlbError: it is not installed.
    """
    try:
        return importlib.import_module("psutil")
    except ImportError:
        raise TxlbError(
            f"an agent that measures the {scope} needs psutil, which is not installed; to install "
            "it: pip install 'txlb[resources]'; an agent in a program does without it if it has a "
            "function of its own instead of a scope"
        ) from None
