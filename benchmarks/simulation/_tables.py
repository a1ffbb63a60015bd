"""
The tables of a simulation.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.report import Table
from benchmarks.simulation._run import Findings, Sample, Spread, spreadOf

#: What stands behind a figure that depends on how long the run was.
GROWS = "grows"


def tablesOf(findings: Findings) -> list[Table]:
    """
    All of them.
    """
    tables = [
        Table(
            f"{findings.titles[key]}, {load:.0%} load",
            ("", "median, ms", "99th percentile, ms", "mean, ms", "busiest host"),
            [_row(policy, samples) for policy, samples in byPolicy.items()],
        )
        for key, byLoad in findings.samples.items()
        for load, byPolicy in byLoad.items()
    ]
    return [*tables, _losses(findings)]


def isOverloaded(samples: Sequence[Sample]) -> bool:
    """
    Whether in most of the runs one host got more than it can do.
    """
    return 2 * sum(each.grows for each in samples) > len(samples)


def milliseconds(seconds: float) -> str:
    """
    Format a time with its significant digits.
    """
    value = seconds * 1000
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def _words(spread: Spread) -> str:
    low, high = milliseconds(spread.low), milliseconds(spread.high)
    return f"{milliseconds(spread.median)} ({low} to {high})"


def _row(policy: str, samples: Sequence[Sample]) -> list[str]:
    figures = [
        spreadOf([sample.median for sample in samples]),
        spreadOf([sample.late for sample in samples]),
        spreadOf([sample.mean for sample in samples]),
    ]
    cells = [_words(figure) for figure in figures]
    if isOverloaded(samples):
        cells = [f"{cell}, {GROWS}" for cell in cells]
    busy = spreadOf([sample.busy for sample in samples])
    return [f"``{policy}``", *cells, f"{busy.median:.1%}"]


def _losses(findings: Findings) -> Table:
    loss = findings.loss
    rows = []
    for policy, lost in findings.losses.items():
        when = loss.middles
        before = [late for late, at in zip(lost.late, when, strict=True) if at < 0]
        during = [late for late, at in zip(lost.late, when, strict=True) if 0 <= at < loss.back]
        crowded = [
            each for each, at in zip(lost.crowding, when, strict=True) if 0 <= at < loss.back
        ]
        after = [each for each, at in zip(lost.crowding, when, strict=True) if at >= loss.back]
        rows.append(
            [
                f"``{policy}``",
                milliseconds(sum(before) / len(before)),
                milliseconds(max(during)),
                f"{sum(crowded) / len(crowded):.2f}",
                f"{max(after):.2f}",
                f"{lost.lost:.1f}",
            ]
        )
    return Table(
        "A host is lost and comes back",
        (
            "",
            "90th percentile before, ms",
            "the worst while it is away, ms",
            "crowding while it is away",
            "the worst when it is back",
            "jobs lost with it",
        ),
        rows,
    )
