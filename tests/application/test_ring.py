"""
The last hour of one thing.
"""

from __future__ import annotations

import math
import sys
import tracemalloc

from twisted.trial.unittest import SynchronousTestCase

from txlb.application._ring import FIELDS, POINTS, Ring


def point(active: float) -> list[float]:
    return [active, active / 10, 0.0, 1.0, 2.0, math.nan, 1.0]


class RingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.ring = Ring()

    def actives(self) -> dict[int, float]:
        return {number: values[0] for number, values in self.ring.points()}

    def test_empty(self) -> None:
        self.assertEqual(self.actives(), {})
        self.assertEqual(self.ring.last, -1)
        self.assertEqual(self.ring.latest("rate"), 0.0)

    def test_points(self) -> None:
        for number in (5, 6):
            self.ring.put(number, point(number))
        self.assertEqual(self.actives(), {5: 5, 6: 6})
        self.assertAlmostEqual(self.ring.latest("rate"), 0.6, 5)
        self.assertEqual(self.ring.latest("connectTime"), 0.0)

    def test_round(self) -> None:
        """
        The oldest points go.
        """
        for number in range(POINTS + 7):
            self.ring.put(number, point(number))
        found = self.actives()
        self.assertEqual(list(found), list(range(7, POINTS + 7)))
        self.assertTrue(all(number == active for number, active in found.items()))
        self.assertEqual(self.ring.mostActive, POINTS + 6)

    def test_missed(self) -> None:
        """
        A point that was missed is unknown, and not that of an hour ago.
        """
        for number in range(POINTS):
            self.ring.put(number, point(1))
        self.ring.put(POINTS + 2, point(2))
        found = self.actives()
        self.assertEqual(len(found), POINTS)
        self.assertTrue(math.isnan(found[POINTS]))
        self.assertTrue(math.isnan(found[POINTS + 1]))
        self.assertEqual(found[POINTS + 2], 2)

    def test_longGap(self) -> None:
        self.ring.put(0, point(1))
        self.ring.put(10 * POINTS, point(2))
        found = self.actives()
        self.assertEqual(len(found), POINTS)
        self.assertEqual([value for value in found.values() if not math.isnan(value)], [2])

    def test_memory(self) -> None:
        """
        A ring takes 10.3 KiB, as the documentation says, and does not grow.
        """
        size = sys.getsizeof(self.ring) + sys.getsizeof(self.ring._values)
        self.assertLess(size, 10.3 * 1024)
        self.assertEqual(len(FIELDS) * 4 * POINTS, 10_080)
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        before = tracemalloc.get_traced_memory()[0]
        rings = [Ring() for _ in range(100)]
        for number in range(3):
            for each in rings:
                each.put(number, point(number))
                each.counts = (number, number, number, number)
        first = (tracemalloc.get_traced_memory()[0] - before) / len(rings)
        self.assertLess(first, 10.6 * 1024)
        for number in range(3, 2 * POINTS):
            for ring in rings:
                ring.put(number, point(number))
        after = (tracemalloc.get_traced_memory()[0] - before) / len(rings)
        self.assertLess(after, first + 64)
