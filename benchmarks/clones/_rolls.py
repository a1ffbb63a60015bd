"""
Rolling restarts, upgrades of the manager and broken releases, and what clients notice.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.clones._cloned import Cloned, until
from benchmarks.clones._kills import timesRow
from benchmarks.clones._longanswers import LongAnswers
from benchmarks.clones._wrk import Measured, Wrk
from benchmarks.traffic import Events
from benchmarks.works import Errors

#: Connections of wrk.
CONNECTIONS = 32

#: Seconds between two looks at the log: what is waited for takes a second or more.
LOOK = 0.05


@dataclass
class Rolls:
    """
    What was seen of restarts.

    @ivar rolling: seconds of each rolling restart.
    @ivar upgrades: seconds until another process managed, which serves nothing.
    @ivar broken: seconds until a broken release was given up.
    @ivar long: long answers that came whole.
    @ivar failed: those that did not.
    @ivar measured: what wrk says.
    """

    rolling: list[float] = field(default_factory=list)
    upgrades: list[float] = field(default_factory=list)
    broken: list[float] = field(default_factory=list)
    long: int = 0
    failed: int = 0
    measured: Measured | None = None

    def rows(self) -> list[str]:
        """
        Make the lines of the report.
        """
        requests = self.measured.requests if self.measured else 0
        errors = self.measured.errors if self.measured else 0
        return [
            f"{len(self.rolling)} rolling restarts, upgrades of the manager and broken releases:",
            f"  {'requests of wrk, and failed ones':<34} {requests:>7,}, {errors}",
            f"  {'long answers, and failed ones':<34} {self.long:>7,}, {self.failed}",
            timesRow("rolling restart of all clones", self.rolling),
            timesRow("upgrade of the manager", self.upgrades),
            timesRow("until a broken release is given up", self.broken),
        ]


def rolls(
    events: Events, cloned: Cloned, count: int, streams: int, size: int, errors: Errors
) -> None:
    """
    Restart the application again and again while wrk makes requests and other clients take
    long answers, and print what they noticed.

    @param streams: how many take long answers.
    @param size: bytes of such an answer.
    """
    seen = Rolls()
    until(events, cloned.complete, "the start of all processes", LOOK)
    wrk = Wrk(cloned.address, CONNECTIONS)
    long = LongAnswers(events, cloned.address, streams, size)
    began = time.monotonic()
    try:
        long.begin()
        for _ in range(count):
            _restart(events, cloned, seen)
            errors.add("rolls", events.trouble.take())
        seen.measured = wrk.stop()
        long.end()
    finally:
        wrk.kill()
    lines = events.trouble.take()
    errors.add("rolls", lines)
    if seen.measured.errors:
        errors.add("rolls", [f"wrk: {seen.measured.errors} errors"])
    seen.long, seen.failed = long.complete, len(errors.lines)
    print(*seen.rows(), sep="\n")
    seconds = time.monotonic() - began
    print(f"  {streams} long answers at a time, {seconds:.0f} s in all", flush=True)


def _restart(events: Events, cloned: Cloned, seen: Rolls) -> None:
    """
    Roll, replace the manager, and try a release that does not start.
    """
    log = cloned.log
    rolls, failed, manager = log.rolls, log.failedRolls, log.managers[-1]
    seen.rolling.append(
        _signal(
            events, cloned, signal.SIGHUP, lambda: cloned.log.rolls > rolls, "the rolling restart"
        )
    )
    seen.upgrades.append(
        _signal(
            events,
            cloned,
            signal.SIGUSR2,
            lambda: cloned.isOver(manager) and cloned.complete(),
            "the upgrade",
        )
    )
    cloned.broken.touch()
    seen.broken.append(
        _signal(
            events,
            cloned,
            signal.SIGHUP,
            lambda: cloned.log.failedRolls > failed,
            "the broken release",
        )
    )
    cloned.broken.unlink()


def _signal(
    events: Events,
    cloned: Cloned,
    number: signal.Signals,
    condition: Callable[[], object],
    what: str,
) -> float:
    os.kill(cloned.manager, number)
    return until(events, condition, what, LOOK)
