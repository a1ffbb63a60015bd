"""
The benchmark of metrics.
"""

from __future__ import annotations

import contextlib
import io

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.metrics import costOf, costsOf, main


class MetricsBenchmarkTests(SynchronousTestCase):
    def test_costs(self) -> None:
        """
        Each text is made, and its size and cost are measured.
        """
        costs = costsOf(8, 2)
        self.assertEqual(len({cost.name for cost in costs}), 6)
        for cost in costs:
            self.assertGreater(cost.whole, 0)
            self.assertGreaterEqual(cost.first, cost.whole)
            self.assertLessEqual(cost.longest, cost.first)
        sizes = [cost.size for cost in costs]
        self.assertGreater(min(sizes[:5]), 500)
        self.assertLess(sizes[2], sizes[1] / 2)

    def test_slices(self) -> None:
        """
        Slices are counted by their bytes.
        """
        self.assertEqual(costOf("x", lambda: [b"abc", b"", b"de"], 1).size, 5)

    def test_main(self) -> None:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertEqual(main(["--hosts", "8", "--runs", "1"]), 0)
        for words in ("8 hosts", "OpenMetrics 1.0", "points of the history", "ns; a connection"):
            self.assertIn(words, output.getvalue())
