"""
From samples to figures that can be believed, or that say that they can't.
"""

from __future__ import annotations

import enum
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """
    A median with its quartiles.

    @ivar count: of how many samples.
    """

    median: float
    low: float
    high: float
    count: int

    def overlaps(self, other: Figure) -> bool:
        """
        Whether the quartiles of both have anything in common.
        """
        return self.low <= other.high and other.low <= self.high


def figure(samples: Sequence[float]) -> Figure:
    """
    Return the median of samples with its quartiles.

    @raise ValueError: there is no sample.
    """
    if not samples:
        raise ValueError("no samples")
    if len(samples) == 1:
        return Figure(samples[0], samples[0], samples[0], 1)
    low, median, high = statistics.quantiles(samples, n=4, method="inclusive")
    return Figure(median, low, high, len(samples))


def ratio(samples: Mapping[int, float], baseline: Mapping[int, float]) -> Figure | None:
    """
    Return the ratio of two peers: the ratio in each round of both, and of
    those the median.

    @param samples: by round.
    @return: L{None} where they have no round in common.
    """
    ratios = [
        sample / baseline[number]
        for number, sample in samples.items()
        if number in baseline and baseline[number] > 0
    ]
    return figure(ratios) if ratios else None


def percentile(samples: Sequence[float], part: float) -> float:
    """
    Return the value below which this part of the samples is, by nearest rank.

    @param part: 0 to 1.
    @raise ValueError: there is no sample.
    """
    if not samples:
        raise ValueError("no samples")
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


class Verdict(enum.Enum):
    """
    Whether a figure stays within its threshold.
    """

    MET = "met"
    NOT_MET = "not met"
    UNRESOLVED = "unresolved"
    UNKNOWN = "not measured"


def noiseOf(pair: Figure | None) -> float:
    """
    How far the ratio of two that are equal is from 1: the farther quartile.

    @param pair: that ratio; L{None} where there is none.
    """
    return 0.0 if pair is None else max(abs(pair.low - 1), abs(pair.high - 1))


def judge(value: Figure | None, threshold: float, noise: float) -> Verdict:
    """
    Compare a figure with the most that it may be. What it may really be lies
    between its quartiles, or as far around its median as equals differ, where
    that is wider.

    @param noise: see L{noiseOf}.
    """
    if value is None:
        return Verdict.UNKNOWN
    low = min(value.low, value.median * (1 - noise))
    high = max(value.high, value.median * (1 + noise))
    if high <= threshold:
        return Verdict.MET
    return Verdict.NOT_MET if low > threshold else Verdict.UNRESOLVED
