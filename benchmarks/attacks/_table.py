"""
The result as a table.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass, field

from benchmarks.attacks._attacks import Attack
from benchmarks.figures import percentile


@dataclass
class Found:
    """
    What was found beside one attack, in all rounds.

    @ivar kept: for each round the seconds of each request on the connection that was
        kept.
    @ivar fresh: the same of new connections.
    @ivar logins: for each time that an administrator tried to log in the seconds that
        it took; L{None} if it failed.
    @ivar counts: what the attacker has done, all rounds together.
    """

    kept: list[list[float]] = field(default_factory=list)
    fresh: list[list[float]] = field(default_factory=list)
    logins: list[float | None] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: float = 0.0


def _ms(rounds: list[list[float]], part: float) -> str:
    """
    Return the median over the rounds, and the range.
    """
    values = [1000 * percentile(each, part) for each in rounds if each]
    if not values:
        return "-"
    shown = f"{statistics.median(values):.2f}"
    return shown if len(values) == 1 else f"{shown} ({min(values):.2f} to {max(values):.2f})"


def _logins(found: Found) -> str:
    if not found.logins:
        return "-"
    good = [each for each in found.logins if each is not None]
    took = f", {statistics.median(good):.1f} s" if good else ""
    return f"{len(good)} of {len(found.logins)}{took}"


def _did(found: Found) -> str:
    return ", ".join(
        f"{count / found.seconds:,.0f} {what}/s" for what, count in found.counts.items()
    )


HEAD = ("attack", "kept p50", "kept p99", "new p50", "new p99", "logins", "the attacker")


def table(results: dict[Attack, Found]) -> str:
    """
    Return a line for each attack. Times are in milliseconds: the median of all rounds, and the
    least and the most.
    """
    rows = [HEAD]
    for attack, found in results.items():
        rows.append(
            (
                attack.name,
                _ms(found.kept, 0.5),
                _ms(found.kept, 0.99),
                _ms(found.fresh, 0.5),
                _ms(found.fresh, 0.99),
                _logins(found),
                _did(found),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
