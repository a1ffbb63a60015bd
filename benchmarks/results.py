"""
All that a run has found.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from benchmarks.figures import Figure
from benchmarks.peers import AGAIN, BASELINE
from benchmarks.works import Comparison, Growth, Holding, Idle


@dataclass
class Results:
    """
    Everything that was measured, with what it depends on.

    @ivar scale: the size of the run.
    @ivar machine: see L{benchmarks.machine.describe}.
    @ivar peers: settings, version and configuration of each peer, by name.
    @ivar missing: peers that are not installed.
    @ivar comparisons: by key of the work.
    @ivar web: the same, for the question of 2008.
    @ivar errors: a line for each kind of error; none in a run that counts.
    """

    scale: str
    began: str
    machine: dict[str, str]
    peers: dict[str, dict[str, str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    idle: list[Idle] = field(default_factory=list)
    growth: list[Growth] = field(default_factory=list)
    holding: list[Holding] = field(default_factory=list)
    web: dict[str, Comparison] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def ratio(self, work: str, peer: str, baseline: str) -> Figure | None:
        """
        CPU a unit of a work, of one peer where that of another is 1.

        @return: L{None} where it was not measured.
        """
        comparison = self.comparisons.get(work)
        return None if comparison is None else comparison.ratio(peer, baseline)

    def noise(self, work: str) -> Figure | None:
        """
        Return the ratio of two equal peers.
        """
        return self.ratio(work, AGAIN, BASELINE)

    def toJSON(self) -> str:
        """
        Everything, every sample included.
        """
        known: dict[str, Any] = dataclasses.asdict(self)
        return json.dumps(known, indent=1) + "\n"
