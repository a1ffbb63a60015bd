"""
Counts of values by their size.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txlb.pool import Histogram
from txlb.pool._histogram import CONNECT_BOUNDS, DURATION_BOUNDS


class HistogramTests(SynchronousTestCase):
    def test_buckets(self) -> None:
        """
        A value is in the first bucket whose bound is not below it.
        """
        histogram = Histogram((1.0, 2.0))
        for value in (0.0, 1.0, 1.5, 2.0, 2.1, 100.0):
            histogram.observe(value)
        self.assertEqual(histogram.counts, [2, 2, 2])
        self.assertEqual(histogram.count, 6)
        self.assertAlmostEqual(histogram.sum, 106.6)

    def test_quantile(self) -> None:
        """
        The values of a bucket are taken to be spread evenly in it.
        """
        histogram = Histogram((1.0, 2.0, 4.0))
        self.assertIsNone(histogram.quantile(0.5))
        for value in (1.5, 1.6, 3.0, 3.0):
            histogram.observe(value)
        for share, wanted in ((0.0, 1.0), (0.25, 1.5), (0.5, 2.0), (0.75, 3.0), (1.0, 4.0)):
            self.assertEqual(histogram.quantile(share), wanted, share)
        histogram.observe(100.0)
        self.assertEqual(histogram.quantile(0.99), 4.0)

    def test_bounds(self) -> None:
        for bounds in (CONNECT_BOUNDS, DURATION_BOUNDS):
            self.assertEqual(list(bounds), sorted(set(bounds)))
            self.assertGreater(bounds[0], 0)
