"""
Kills of the manager, and what clients notice.
"""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from benchmarks.clones._cloned import Cloned, until
from benchmarks.traffic import PLAIN, BulkClient, Clients, Direction, Events
from benchmarks.works import Errors

#: Clients at once while the manager is killed, and seconds before each kill.
AT_ONCE = 32
BEFORE = 0.2


@dataclass
class Kills:
    """
    What was seen of kills.

    @ivar connections: those that were made while it was killed and replaced.
    @ivar failures: clients that were refused, reset, or got a short answer.
    @ivar managing: seconds from each kill until a process manages again.
    @ivar pure: seconds from each kill until that is one that serves nothing.
    @ivar waits: the longest that a client waited, for each kill.
    """

    connections: int = 0
    failures: int = 0
    managing: list[float] = field(default_factory=list)
    pure: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def rows(self) -> list[str]:
        """
        Make the lines of the report.
        """
        return [
            f"{len(self.managing)} kills of the manager, {self.connections:,} connections:",
            f"  {'refused, reset or short':<34} {self.failures:>7}",
            timesRow("until a process manages", self.managing),
            timesRow("until the manager serves nothing", self.pure),
            timesRow("longest wait of a client", self.waits),
        ]


def timesRow(what: str, seconds: Sequence[float]) -> str:
    """
    Make a line of a report: the median and the longest of some times.
    """
    median, longest = 1000 * statistics.median(seconds), 1000 * max(seconds)
    return f"  {what:<34} {median:>7.1f} ms, at most {longest:.1f}"


def kills(
    events: Events, cloned: Cloned, count: int, streams: int, size: int, errors: Errors
) -> None:
    """
    Kill the manager again and again, while clients connect as quickly as they can and
    others take long answers, and print what clients noticed.

    @param streams: how many take long answers.
    @param size: bytes of such an answer.
    """
    seen = Kills()
    small = Clients(events, cloned.address, PLAIN, AT_ONCE)
    long = BulkClient(events, cloned.address, Direction.TO_CLIENT, streams, size)
    began = time.monotonic()
    long.begin()
    for _ in range(count):
        until(events, cloned.complete, "the start of all processes")
        small.begin()
        events.runFor(BEFORE)
        killed = cloned.manager
        at = time.monotonic()
        os.kill(killed, signal.SIGKILL)
        seen.managing.append(until(events, partial(cloned.isOver, killed), "the takeover"))
        until(events, cloned.ready, "the heir")
        seen.pure.append(time.monotonic() - at)
        small.end()
        done = small.done(time.monotonic() - at)
        seen.connections += done.units
        seen.waits.append(max(done.latencies))
        errors.add("kills", events.trouble.take())
    long.end()
    errors.add("kills", events.trouble.take())
    small.close()
    long.close()
    seen.failures = len(errors.lines)
    seconds = time.monotonic() - began
    print(*seen.rows(), sep="\n")
    print(f"  {streams} long answers at a time, {seconds:.0f} s in all", flush=True)
