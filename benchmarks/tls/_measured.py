"""
What was measured, and its tables.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field

from benchmarks.report import Table
from benchmarks.tls._memory import Memory
from benchmarks.works import Comparison


@dataclass
class Part:
    """
    One scene.

    @ivar baseline: the name of the peer that is 1.
    """

    key: str
    title: str
    baseline: str
    comparisons: list[Comparison] = field(default_factory=list)

    def table(self) -> Table:
        """
        Return the CPU of each peer beside that of the baseline.
        """
        names = list(self.comparisons[0].samples) if self.comparisons else []
        rows = []
        for name in names:
            row = [name]
            for comparison in self.comparisons:
                ratio = comparison.ratio(name, self.baseline)
                row.append(
                    "-"
                    if ratio is None
                    else f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
                )
            rows.append(row)
        costs = [each.cpu(self.baseline) for each in self.comparisons]
        rows.append(
            [f"{self.baseline}, µs"]
            + ["-" if cost is None else f"{cost.median / 1000:,.1f}" for cost in costs]
        )
        columns = ["", *(f"{each.title}" for each in self.comparisons)]
        return Table(f"{self.title}: CPU, {self.baseline} = 1", columns, rows)


@dataclass
class Measured:
    """
    All of a run.

    @ivar machine: see L{benchmarks.machine.describe}.
    @ivar settings: what each peer is, and its version, by name.
    @ivar memory: by the title of the scene.
    """

    machine: dict[str, str]
    rounds: int
    seconds: float
    settings: dict[str, str] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    memory: dict[str, list[Memory]] = field(default_factory=dict)

    def tables(self) -> list[Table]:
        """
        Return all tables.
        """
        tables = [part.table() for part in self.parts]
        for title, found in self.memory.items():
            columns = ["", *(found[0].kib if found else ())]
            rows = [[each.peer, *(f"{kib:.0f}" for kib in each.kib.values())] for each in found]
            tables.append(Table(f"{title}: KiB of memory a connection", columns, rows))
        return tables

    def toJSON(self) -> str:
        """
        Return everything, every sample included.
        """
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"
