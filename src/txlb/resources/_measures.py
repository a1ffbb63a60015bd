"""
Measuring what a machine or a process has left.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol

from txlb.errors import TxlbError

#: The share of free memory below which a machine has less than all left.
MEMORY_NEEDED = 0.2

#: Seconds by which a reactor is late if its process has half left.
LAG = 0.05


class Measure(Protocol):
    """
    A measurement of what is left.
    """

    def left(self, lag: float) -> float:
        """
        Return the share that was left since the last call, from 0 to 1.

        @param lag: the most seconds by which the reactor was late since then, 0 or more.
        """


class MachineMeasure:
    """
    What a machine has left: the least of

      - the share of its CPUs' time that was idle since the last call;
      - free memory / (0.2 * memory), if less than a fifth of its memory is free;
      - CPUs / load average of the last minute, if that is above the number of CPUs.

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
    What this process has left, as its reactor can use one CPU: the least of

      - the share of one CPU's time that it did not use since the last call;
      - 0.05 / (0.05 + lag), where lag is the most seconds by which its reactor was late: a half
        for 0.05 s, a fifth for 0.2 s.

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
    Import psutil.

    @param scope: the scope of the agent, for the message.
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
