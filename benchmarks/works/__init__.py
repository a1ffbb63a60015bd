"""
What is measured.
"""

from benchmarks.works._comparison import Comparison, Errors, Load, Sample, Work, compare
from benchmarks.works._growth import Growth, growthWithConnections, growthWithHosts
from benchmarks.works._holding import Holding, measureHolding
from benchmarks.works._idle import Idle, measureIdle
from benchmarks.works._relaying import MIXED, RELAYING, connections, requests
from benchmarks.works._web import measureWeb

__all__ = [
    "MIXED",
    "RELAYING",
    "Comparison",
    "Errors",
    "Growth",
    "Holding",
    "Idle",
    "Load",
    "Sample",
    "Work",
    "compare",
    "connections",
    "growthWithConnections",
    "growthWithHosts",
    "measureHolding",
    "measureIdle",
    "measureWeb",
    "requests",
]
