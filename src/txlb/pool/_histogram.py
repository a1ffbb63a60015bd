"""
Counts of values by their size.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

from txlb._facts import Facts

#: Upper bounds of times to connect, in seconds.
CONNECT_BOUNDS = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)

#: Upper bounds of the times that connections last, in seconds.
DURATION_BOUNDS = (
    0.001,
    0.005,
    0.025,
    0.1,
    0.5,
    1.0,
    5.0,
    15.0,
    60.0,
    300.0,
    900.0,
    3600.0,
    14400.0,
    86400.0,
)


class Histogram:
    """
    Counts of values by their size, in buckets whose bounds are fixed. Owned by a pool. To
    count one value is one search among the bounds and two additions, and takes no memory.

    @ivar bounds: the upper bounds of the buckets, in order; a value that equals a bound is in
        its bucket.
    @ivar counts: the number of values of each bucket alone, and of those above the last bound.
    @ivar sum: the sum of all values.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """
        Count a value.
        """
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def kept(self) -> dict[str, object]:
        """
        Return what a successor has to know, as plain values.
        """
        return {"bounds": list(self.bounds), "counts": list(self.counts), "sum": self.sum}

    def restoring(self, facts: Facts) -> Callable[[], None]:
        """
        Read what L{kept} has returned. Counts by other bounds have no effect.

        @return: takes it over.
        @raise StateError: a value can't be right.
        """
        total, counts = facts.number("sum", 0.0, 0.0), facts.wholes("counts")
        same = list(facts.items("bounds")) == list(self.bounds)

        def take() -> None:
            if same and len(counts) == len(self.counts):
                self.counts[:], self.sum = counts, total

        return take

    def quantile(self, share: float) -> float | None:
        """
        Estimate the value that a share of all values does not exceed. Values are taken to be
        spread evenly in their bucket, as Prometheus does in C{histogram_quantile}; those above the
        last bound are taken to be that bound.

        @param share: from 0 to 1, such as 0.99.
        @return: L{None} if there is no value.
        """
        wanted = share * self.count
        if not self.count:
            return None
        below, passed = 0.0, 0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            if count and passed + count >= wanted:
                return below + (bound - below) * (wanted - passed) / count
            below, passed = bound, passed + count
        return self.bounds[-1]

    @property
    def count(self) -> int:
        """
        The number of all values.
        """
        return sum(self.counts)
