"""
The benchmark of the state that an upgrade hands over.
"""

from __future__ import annotations

import contextlib
import io

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.state import POLICIES, costOf, costs, main


class StateBenchmarkTests(SynchronousTestCase):
    def test_cost(self) -> None:
        """
        Each part of an upgrade is measured, and what is handed over later is less.
        """
        cost = costOf("roundr", 40)
        for each in (cost.piece, cost.gives, cost.takes):
            self.assertGreater(each, 0)
        self.assertGreater(cost.ahead, cost.rest)
        self.assertGreater(cost.rest, 1000)
        self.assertEqual([each.policy for each in costs(5, 1)], list(POLICIES))

    def test_main(self) -> None:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertEqual(main(["--hosts", "8", "--times", "1"]), 0)
        for words in ("8 hosts", "sticky", "longest piece", "nothing served"):
            self.assertIn(words, output.getvalue())
