"""
Peers side by side, in rounds.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.figures import Figure, figure, percentile, ratio
from benchmarks.peers import DIRECT, Running
from benchmarks.traffic import Done, Events, TrafficError


class Load(Protocol):
    """
    Something that keeps a peer busy.
    """

    def run(self, seconds: float) -> Done:
        """
        Do it for so many seconds, to the end of what was begun.
        """

    def close(self) -> None:
        """
        Close what is left open.
        """


@dataclass(frozen=True)
class Work:
    """
    A kind of load.

    @ivar key: a word for it.
    @ivar title: what it is, for the reader of a table.
    @ivar unit: what its CPU is divided by.
    @ivar size: how many of what a load counts make such a unit.
    @ivar makeLoad: makes the load for a peer; what it takes to open connections
        that are kept is not measured.
    @ivar latencyOnly: whether the CPU is also for other things than these units.
    """

    key: str
    title: str
    unit: str
    makeLoad: Callable[[Events, Running], Load]
    size: int = 1
    latencyOnly: bool = False


@dataclass(frozen=True)
class Sample:
    """
    What one peer did in one round.

    @ivar cpu: CPU of the peer for a unit, in nanoseconds.
    @ivar rate: units a second.
    @ivar median: the median latency of a request in seconds, where there is one.
    @ivar late: the 99th percentile of that.
    """

    cpu: float
    rate: float
    median: float | None
    late: float | None


@dataclass
class Comparison:
    """
    Samples of one work.

    @ivar latencyOnly: see L{Work}.
    @ivar samples: by name of the peer and number of the round.
    """

    key: str
    title: str
    unit: str
    latencyOnly: bool = False
    samples: dict[str, dict[int, Sample]] = field(default_factory=dict)

    def ratio(self, name: str, baseline: str) -> Figure | None:
        """
        CPU a unit of a peer, where that of another is 1.
        """
        return ratio(self._cpu(name), self._cpu(baseline))

    def latencyRatio(
        self, name: str, baseline: str, what: Callable[[Sample], float | None]
    ) -> Figure | None:
        """
        Compare a latency of a peer with that of another, which is 1.
        """
        return ratio(self._known(name, what), self._known(baseline, what))

    def cpu(self, name: str) -> Figure | None:
        """
        CPU a unit, in nanoseconds.
        """
        samples = [] if name == DIRECT else list(self._cpu(name).values())
        return figure(samples) if samples else None

    def median(self, name: str, what: Callable[[Sample], float | None]) -> float | None:
        """
        Return the median over the rounds of another value.
        """
        known = list(self._known(name, what).values())
        return figure(known).median if known else None

    def _cpu(self, name: str) -> dict[int, float]:
        return self._known(name, lambda sample: sample.cpu)

    def _known(self, name: str, what: Callable[[Sample], float | None]) -> dict[int, float]:
        values = {number: what(sample) for number, sample in self.samples.get(name, {}).items()}
        return {number: value for number, value in values.items() if value is not None}


class Errors:
    """
    All errors of a run. There must be none.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, where: str, lines: Iterable[str]) -> None:
        """
        Keep them, and say them now.
        """
        for line in lines:
            self.lines.append(f"{where}: {line}")
            print(f"    ERROR {where}: {line}", file=sys.stderr, flush=True)


def sampleOf(events: Events, running: Running, work: Work, seconds: float) -> Sample | None:
    """
    One peer does one work for so many seconds.

    @return: L{None} where something went wrong, which the trouble of the events
        tells.
    """
    load: Load | None = None
    try:
        load = work.makeLoad(events, running)
        gc.collect()
        gc.disable()
        before = running.cpuTime()
        done = load.run(seconds)
        _settleAfter(work, running)
        cpu = running.cpuTime() - before
    except (TrafficError, OSError) as error:
        events.trouble.happened(str(error))
        return None
    finally:
        gc.enable()
        if load is not None:
            load.close()
    try:
        running.settle()
    except TrafficError as error:
        events.trouble.happened(str(error))
    if events.trouble or not done.units:
        if not done.units:
            events.trouble.happened("nothing was done")
        return None
    units = done.units / work.size
    latencies = done.latencies
    return Sample(
        cpu=cpu / units,
        rate=units / done.seconds,
        median=percentile(latencies, 0.5) if latencies else None,
        late=percentile(latencies, 0.99) if latencies else None,
    )


def _settleAfter(work: Work, running: Running) -> None:
    """
    Where a unit is a whole connection, its end belongs to it.
    """
    if work.unit == "connection":
        running.settle()


def compare(
    events: Events,
    peers: Sequence[Running],
    work: Work,
    rounds: int,
    seconds: float,
    errors: Errors,
) -> Comparison:
    """
    Let peers do a work by turns; every second round in the opposite order. One
    with an error has no sample of that round, and the run has failed.
    """
    result = Comparison(work.key, work.title, work.unit, work.latencyOnly)
    result.samples = {peer.name: {} for peer in peers}
    for number in range(rounds):
        for running in peers if number % 2 == 0 else reversed(peers):
            sample = sampleOf(events, running, work, seconds)
            errors.add(f"{running.name}, {work.title}", events.trouble.take())
            if sample is not None:
                result.samples[running.name][number] = sample
    return result
