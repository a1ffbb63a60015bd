"""
Processes of a cloned application that hang, and what clients notice.
"""

from __future__ import annotations

import os
import random
import signal
from dataclasses import dataclass, field

from benchmarks.clones._cloned import Cloned
from benchmarks.clones._kills import BEFORE, LOOK, timesRow
from benchmarks.clones.visitors import Visitors
from benchmarks.traffic import Events
from benchmarks.works import Errors

#: Seconds for which a process hangs.
HELD = 0.5

#: The seed of the choice of the clones that hang.
SEED = 14


@dataclass
class Hangs:
    """
    What was seen while processes of one kind hung.

    @ivar what: the kind.
    @ivar connections: those that were made meanwhile.
    @ivar silences: the longest time in which no client at all was answered, for each hang.
    @ivar waits: the longest that a client waited that came after the process was stopped, for
        each hang. One that waits still when the process goes on counts as well.
    """

    what: str
    connections: int = 0
    silences: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def rows(self) -> list[str]:
        """
        Make the lines of the report.
        """
        return [
            f"{len(self.waits)} hangs of {self.what}, {HELD:g} s each:",
            f"  {'connections meanwhile':<34} {self.connections:>7,}",
            timesRow("longest time without an answer", self.silences),
            timesRow("longest wait of a client", self.waits),
        ]


def hangs(events: Events, cloned: Cloned, count: int, rate: float, errors: Errors) -> None:
    """
    Stop nothing, then the manager by SIGSTOP again and again, then clones, while clients connect at
    a steady rate, and print what these noticed. The first is the noise of the machine.

    @param count: how often each.
    @param rate: connections a second.
    """
    chance = random.Random(SEED)
    small = Visitors("connections", *cloned.address, rate)
    try:
        for what, choose in (
            ("nothing", lambda: None),
            ("the manager", lambda: cloned.manager),
            ("a clone", lambda: chance.choice(sorted(cloned.log.joined))),
        ):
            seen = Hangs(what)
            for _ in range(count):
                cloned.await_(events, LOOK)
                events.runFor(BEFORE)
                errors.add("hangs", small.take()["trouble"])
                _hang(events, choose(), small, seen)
            print(*seen.rows(), sep="\n", flush=True)
        errors.add("hangs", small.take()["trouble"])
    finally:
        small.stop()


def _hang(events: Events, pid: int | None, small: Visitors, seen: Hangs) -> None:
    if pid is not None:
        os.kill(pid, signal.SIGSTOP)
    try:
        # From here.
        small.take()
        events.runFor(HELD)
        said = small.take()
    finally:
        if pid is not None:
            os.kill(pid, signal.SIGCONT)
    seen.connections += said["units"]
    seen.silences.append(said["silence"])
    seen.waits.append(said["fresh"])
