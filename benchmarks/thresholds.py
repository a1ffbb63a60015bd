"""
What txlb wants to stay within, beside what was measured. Reported, never
asserted: on a busy machine these are no test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.figures import Figure, Verdict, judge, noiseOf
from benchmarks.peers import AGAIN, BASELINE, FAST, LEGACY, SPLICE, TUNED
from benchmarks.results import Results
from benchmarks.works import Sample

#: Bytes.
KIB = 1024

#: The work whose latencies count.
SIXTEEN = "connection-16"

#: Milliseconds that the relay may hold the reactor, at the 99th percentile.
HOLD = 5.0


@dataclass(frozen=True)
class Threshold:
    """
    The most that a figure may be.

    @ivar aim: what it should be; L{None} where there is no such aim.
    @ivar value: finds the figure in the results, with the noise that it has.
    """

    title: str
    most: float
    aim: float | None
    value: Callable[[Results], tuple[Figure | None, float]]


@dataclass(frozen=True)
class Judgement:
    """
    A threshold beside what was measured.
    """

    threshold: Threshold
    value: Figure | None
    verdict: Verdict
    aimed: Verdict | None


def _ratio(work: str, baseline: str) -> Callable[[Results], tuple[Figure | None, float]]:
    return lambda results: (
        results.ratio(work, FAST, baseline),
        noiseOf(results.noise(work)),
    )


def _latency(what: Callable[[Sample], float | None]) -> Callable[..., tuple[Figure | None, float]]:
    """
    Make a function that finds a latency of 16 connections at once, beside the baseline's.
    """

    def find(results: Results) -> tuple[Figure | None, float]:
        comparison = results.comparisons.get(SIXTEEN)
        if comparison is None:
            return None, 0.0
        same = comparison.latencyRatio(AGAIN, BASELINE, what)
        return comparison.latencyRatio(FAST, BASELINE, what), noiseOf(same)

    return find


def _memory(results: Results) -> tuple[Figure | None, float]:
    found = [idle.memory / KIB for idle in results.idle if idle.peer == FAST]
    return (Figure(found[0], found[0], found[0], 1) if found else None), 0.0


def _beside(results: Results) -> tuple[Figure | None, float]:
    found = [idle.cpu for idle in results.idle if idle.peer == FAST]
    return (found[0] if found else None), 0.0


def _hold(results: Results) -> tuple[Figure | None, float]:
    late = [holding.late * 1000 for holding in results.holding if holding.peer == FAST]
    return (Figure(max(late), max(late), max(late), 1) if late else None), 0.0


#: Work, baseline, the most, the aim.
_RATIOS = (
    ("connection-32", "CPU a new connection, 32 at once", BASELINE, 1.08, 1.0),
    ("connection-1", "CPU a new connection, one at a time", BASELINE, 1.08, 1.0),
    ("request-64", "CPU a small request kept alive, 64 at once", BASELINE, 1.04, 1.0),
    ("request-1", "CPU a small request kept alive, one at a time", BASELINE, 1.0, 0.95),
    ("bulk-client-1", "CPU a GiB to the client, 1 stream", SPLICE, 0.7, 0.5),
    ("bulk-client-4", "CPU a GiB to the client, 4 streams", SPLICE, 0.7, 0.5),
    ("bulk-server-1", "CPU a GiB to the server, 1 stream", SPLICE, 0.7, 0.5),
    ("bulk-server-4", "CPU a GiB to the server, 4 streams", SPLICE, 0.7, 0.5),
    ("bulk-client-1", "CPU a GiB to the client, 1 stream", TUNED, 1.05, 1.0),
    ("bulk-client-4", "CPU a GiB to the client, 4 streams", TUNED, 1.05, 1.0),
    ("bulk-server-1", "CPU a GiB to the server, 1 stream", TUNED, 1.1, 1.0),
    ("bulk-server-4", "CPU a GiB to the server, 4 streams", TUNED, 1.1, 1.0),
    ("connection-32", "CPU a new connection, 32 at once", LEGACY, 0.45, 0.4),
    ("request-64", "CPU a small request kept alive, 64 at once", LEGACY, 0.4, 0.33),
    ("bulk-client-1", "CPU a GiB to the client, 1 stream", LEGACY, 0.35, 0.25),
    ("bulk-client-4", "CPU a GiB to the client, 4 streams", LEGACY, 0.35, 0.25),
    ("bulk-server-1", "CPU a GiB to the server, 1 stream", LEGACY, 0.35, 0.25),
    ("bulk-server-4", "CPU a GiB to the server, 4 streams", LEGACY, 0.35, 0.25),
)

THRESHOLDS = (
    *(
        Threshold(f"{title}, {baseline} = 1", most, aim, _ratio(work, baseline))
        for work, title, baseline, most, aim in _RATIOS
    ),
    Threshold(
        "median latency of a connection, 16 at once, haproxy = 1",
        1.1,
        1.0,
        _latency(lambda sample: sample.median),
    ),
    Threshold("99th percentile of it, haproxy = 1", 1.1, 1.0, _latency(lambda sample: sample.late)),
    Threshold("memory an idle connection, KiB", 1.3, 1.0, _memory),
    Threshold("CPU a request beside idle connections, beside none = 1", 1.15, 1.05, _beside),
    Threshold("CPU of the reactor's thread a turn, 99th percentile, ms", HOLD, None, _hold),
)


def judgeAll(results: Results) -> list[Judgement]:
    """
    Every threshold beside what was measured.
    """
    judgements = []
    for threshold in THRESHOLDS:
        value, noise = threshold.value(results)
        aimed = None if threshold.aim is None else judge(value, threshold.aim, noise)
        judgements.append(Judgement(threshold, value, judge(value, threshold.most, noise), aimed))
    return judgements
