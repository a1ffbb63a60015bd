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

from benchmarks.clones._cloned import Cloned, until
from benchmarks.clones.visitors import Visitors
from benchmarks.traffic import Events
from benchmarks.works import Errors

#: Seconds of clients before each kill, and after the last one.
BEFORE = 0.2

#: Seconds between two looks. The clients are processes of their own.
LOOK = 0.01

#: Bytes a second that long answers take together.
DOWNLOADS = 32 << 20


@dataclass
class Kills:
    """
    What was seen of kills.

    @ivar connections: those that were made while it was killed and replaced.
    @ivar seconds: for how long they came.
    @ivar left: connections that were not made, as too many were under way.
    @ivar downloads: long answers that have come whole.
    @ivar failures: clients that were refused, reset, or got a short answer.
    @ivar granting: seconds from each kill until a clone accepts by a permit again.
    @ivar pure: seconds from each kill until a process manages that serves nothing.
    @ivar waits: the longest that a client waited, for each kill.
    @ivar medians: the median of what clients waited, around each kill.
    @ivar late: the 99th percentile of it.
    """

    connections: int = 0
    seconds: float = 0.0
    left: int = 0
    downloads: int = 0
    failures: int = 0
    granting: list[float] = field(default_factory=list)
    pure: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    medians: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)

    def rows(self) -> list[str]:
        """
        Make the lines of the report.
        """
        rate = self.connections / self.seconds if self.seconds else 0.0
        return [
            f"{len(self.granting)} kills of the manager:",
            f"  {'connections, and how many a second':<34} {self.connections:>7,}, {rate:,.0f}",
            f"  {'refused, reset or short':<34} {self.failures:>7}",
            f"  {'left out, as too many waited':<34} {self.left:>7,}",
            f"  {'long answers that came whole':<34} {self.downloads:>7,}",
            timesRow("kill to the next accept by permit", self.granting),
            timesRow("until the manager serves nothing", self.pure),
            timesRow("longest wait of a client", self.waits),
            timesRow("median wait around a kill", self.medians),
            timesRow("99th percentile around a kill", self.late),
        ]


def timesRow(what: str, seconds: Sequence[float]) -> str:
    """
    Make a line of a report: the median, the 99th percentile and the longest of some times.
    """
    found = sorted(seconds)
    late = found[len(found) * 99 // 100]
    median, p99, longest = (1000 * each for each in (statistics.median(found), late, found[-1]))
    return f"  {what:<34} {median:>7.1f} ms, p99 {p99:.1f}, at most {longest:.1f}"


def kills(
    events: Events,
    cloned: Cloned,
    count: int,
    streams: int,
    size: int,
    rate: float,
    errors: Errors,
) -> None:
    """
    Kill the manager again and again, while clients connect at a steady rate and others take long
    answers, and print what clients noticed.

    @param streams: how many take long answers.
    @param size: bytes of such an answer.
    @param rate: connections a second.
    """
    seen = Kills()
    began = time.monotonic()
    long = Visitors("downloads", *cloned.address, streams, size, DOWNLOADS)
    try:
        for _ in range(count):
            cloned.await_(events, LOOK)
            _kill(events, cloned, rate, seen, errors)
        cloned.await_(events, LOOK)
        said = long.take()
        seen.downloads = said["units"]
        errors.add("kills", said["trouble"])
        if streams and not seen.downloads:
            errors.add("kills", ["no long answer has come whole: give a smaller --size"])
    finally:
        long.stop()
    seen.failures = len(errors.lines)
    seconds = time.monotonic() - began
    print(*seen.rows(), sep="\n")
    print(f"  {streams} long answers at a time, {seconds:.0f} s in all", flush=True)


def _kill(events: Events, cloned: Cloned, rate: float, seen: Kills, errors: Errors) -> None:
    small = Visitors("connections", *cloned.address, rate)
    try:
        small.take()
        began = time.monotonic()
        events.runFor(BEFORE)
        killed = cloned.manager
        at = time.monotonic()
        os.kill(killed, signal.SIGKILL)
        until(events, lambda: cloned.isOver(killed) and cloned.ready(), "the heir", LOOK)
        seen.pure.append(time.monotonic() - at)
        until(events, lambda: cloned.firstGrant(at, killed) is not None, "a permit", LOOK)
        seen.granting.append(cloned.firstGrant(at, killed) or 0.0)
        events.runFor(BEFORE)
        said = small.take()
        seen.seconds += time.monotonic() - began
    finally:
        small.stop()
    seen.connections += said["units"]
    seen.left += said["left"]
    seen.waits.append(said["worst"])
    seen.medians.append(said["p50"])
    seen.late.append(said["p99"])
    errors.add("kills", said["trouble"])
