"""
The tables of a run.
"""

from __future__ import annotations

from benchmarks.figures import Figure
from benchmarks.peers import AGAIN, BASELINE, DIRECT
from benchmarks.report._table import Table
from benchmarks.results import Results
from benchmarks.thresholds import judgeAll
from benchmarks.works import Comparison

#: For what was not measured, or has no meaning.
NOTHING = "-"

NANO = 1e-9


def tablesOf(results: Results) -> list[Table]:
    """
    All of them.
    """
    tables = [_thresholds(results)]
    tables += [_comparison(results, each) for each in results.comparisons.values()]
    tables += [_web(each) for each in results.web.values()]
    tables += [_idle(results), _growth(results), _holding(results), _peers(results)]
    return [table for table in tables if table.rows]


def spread(value: Figure | None) -> str:
    """
    Format a median with its quartiles.
    """
    if value is None:
        return NOTHING
    if value.count == 1:
        return f"{value.median:.2f}"
    return f"{value.median:.2f} ({value.low:.2f} to {value.high:.2f})"


def _thresholds(results: Results) -> Table:
    rows = []
    for judgement in judgeAll(results):
        threshold = judgement.threshold
        rows.append(
            (
                threshold.title,
                spread(judgement.value),
                f"{threshold.most:g}",
                judgement.verdict.value,
                NOTHING if threshold.aim is None else f"{threshold.aim:g}",
                NOTHING if judgement.aimed is None else judgement.aimed.value,
            )
        )
    return Table(
        "What txlb wants to stay within",
        ("txlb fast", "measured", "at most", "", "aim", ""),
        rows,
        "Unresolved: the threshold lies within the quartiles, or within the noise of two equals.",
    )


def ratioWords(results: Results, work: str, peer: str) -> str:
    """
    Format a ratio to the baseline; say so if it is within the noise around 1.
    """
    value = results.ratio(work, peer, BASELINE)
    noise = results.noise(work)
    if value is None or peer == DIRECT:
        return NOTHING
    if peer in {BASELINE, AGAIN} or noise is None or not value.overlaps(noise):
        return spread(value)
    return f"{spread(value)}, unresolved"


def _comparison(results: Results, comparison: Comparison) -> Table:
    unit = comparison.unit
    columns = ["", f"{unit}s a second" if unit != "GiB" else "GiB a second"]
    if not comparison.latencyOnly:
        columns += [f"CPU a {unit}", f"{BASELINE} = 1"]
    if unit != "GiB":
        columns += ["latency, median", "99th percentile"]
    rows = []
    for name in comparison.samples:
        row = [name, _rate(comparison.median(name, lambda sample: sample.rate))]
        if not comparison.latencyOnly:
            cpu = comparison.cpu(name)
            row.append(NOTHING if cpu is None else _duration(cpu.median * NANO))
            row.append(ratioWords(results, comparison.key, name))
        if unit != "GiB":
            row += [
                _known(comparison.median(name, lambda sample: sample.median)),
                _known(comparison.median(name, lambda sample: sample.late)),
            ]
        rows.append(row)
    return Table(comparison.title[0].upper() + comparison.title[1:], columns, rows)


def _web(comparison: Comparison) -> Table:
    rows = [
        (
            name,
            _rate(comparison.median(name, lambda sample: sample.rate)),
            _known(comparison.median(name, lambda sample: sample.median)),
            _known(comparison.median(name, lambda sample: sample.late)),
        )
        for name, samples in comparison.samples.items()
        if samples
    ]
    return Table(
        f"The question of 2008: {comparison.title}",
        ("", "pages a second", "latency, median", "99th percentile"),
        rows,
    )


def _idle(results: Results) -> Table:
    rows = [
        (idle.peer, str(idle.connections), f"{idle.memory / 1024:.2f} KiB", spread(idle.cpu))
        for idle in results.idle
    ]
    return Table(
        "Idle connections",
        ("", "open", "memory for each", "CPU a request beside them, beside none = 1"),
        rows,
    )


def _growth(results: Results) -> Table:
    rows = [
        (
            growth.peer,
            f"{count} {growth.of}",
            f"{_duration(cpu.median * NANO)} a {growth.unit}",
            spread(growth.growth[count]),
        )
        for growth in sorted(results.growth, key=lambda growth: growth.of)
        for count, cpu in growth.cpu.items()
    ]
    return Table("Growth", ("", "with", "CPU", "with the fewest = 1"), rows)


def _holding(results: Results) -> Table:
    rows = [
        (
            holding.peer,
            holding.load,
            str(holding.turns),
            _duration(holding.median),
            _duration(holding.late),
            _duration(holding.most),
            _known(holding.call),
        )
        for holding in results.holding
    ]
    return Table(
        "How long a turn holds the reactor, as CPU of its thread",
        ("", "load", "turns", "median", "99th percentile", "most", "one call, 99th percentile"),
        rows,
    )


def _peers(results: Results) -> Table:
    rows = [(name, facts["settings"], facts["version"]) for name, facts in results.peers.items()]
    return Table("Peers", ("", "what it is and how it is set", "version"), rows)


def _known(seconds: float | None) -> str:
    return NOTHING if seconds is None else _duration(seconds)


def _rate(value: float | None) -> str:
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.2f} {unit}"
    return f"{seconds / 1e-6:.1f} µs"
