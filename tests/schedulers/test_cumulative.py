"""
Tests for L{txlb.schedulers._cumulative}.
"""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.schedulers import _cumulative
from txlb.schedulers._cumulative import CumulativeWeights


class CumulativeWeightsTests(SynchronousTestCase):
    def setUp(self) -> None:
        # So small that few weights make several blocks.
        self.patch(_cumulative, "BLOCK", 4)

    @given(
        st.lists(st.integers(0, 9), min_size=1, max_size=20),
        st.lists(st.tuples(st.integers(0, 19), st.integers(0, 9)), max_size=20),
    )
    def test_asTable(self, weights: list[int], changes: list[tuple[int, int]]) -> None:
        """
        It finds what a plain table of running sums finds.
        """
        table = CumulativeWeights()
        for place, weight in enumerate(weights):
            table.set(place, weight)
        for place, weight in changes:
            if place < len(weights):
                weights[place] = weight
                table.set(place, weight)
        self.assertEqual(table.total, sum(weights))
        sums = list(accumulate(weights))
        for number in range(sum(weights)):
            for part in (0.0, 0.5):
                wanted = next(place for place, top in enumerate(sums) if number + part < top)
                self.assertEqual(table.find(number + part), wanted)

    @given(st.lists(st.floats(0.001, 1000.0), min_size=1, max_size=30))
    def test_roundingNeverAddsUp(self, weights: list[float]) -> None:
        """
        However often weights change, what is left when all are back is the same.
        """
        table, fresh = CumulativeWeights(), CumulativeWeights()
        for place, weight in enumerate(weights):
            table.set(place, weight)
            fresh.set(place, weight)
        for place, weight in enumerate(weights):
            table.set(place, weight * 1e9)
            table.set(place, 0.0)
        self.assertEqual(table.total, 0.0)
        for place, weight in enumerate(weights):
            table.set(place, weight)
        self.assertEqual(table.total, fresh.total)

    @given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.integers(0, 20))
    def test_fewer(self, weights: list[int], gone: int) -> None:
        """
        With the last places given up it is as if they had never been.
        """
        table, fresh = CumulativeWeights(), CumulativeWeights()
        left = weights[: len(weights) - min(gone, len(weights))]
        for place, weight in enumerate(weights):
            table.set(place, weight)
        for place, weight in enumerate(left):
            fresh.set(place, weight)
        for _ in range(len(weights) - len(left)):
            table.removeLast()
        self.assertEqual(len(table), len(left))
        self.assertEqual(table.total, sum(left))
        self.assertEqual(fresh.total, sum(left))
        self.assertEqual(vars(table), vars(fresh))

    @given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.integers(0, 20))
    def test_fewerInBetween(self, weights: list[int], asked: int) -> None:
        """
        It may be asked for the total after any of the changes, or after none.
        """
        table = CumulativeWeights()
        for place, weight in enumerate(weights):
            table.set(place, weight)
            if place == asked:
                self.assertEqual(table.total, sum(weights[: place + 1]))
        for left in range(len(weights) - 1, -1, -1):
            table.removeLast()
            if left in {asked, 0}:
                self.assertEqual(table.total, sum(weights[:left]))

    @given(st.lists(st.integers(1, 9), min_size=1, max_size=20))
    def test_edges(self, weights: list[int]) -> None:
        """
        It says how far into a span a number is, and takes the far edge of all
        for the last.
        """
        table = CumulativeWeights()
        for place, weight in enumerate(weights):
            table.set(place, weight)
            self.assertEqual(table.weight(place), weight)
        begin = 0
        for place, weight in enumerate(weights):
            self.assertEqual(table.locate(begin), (place, 0))
            self.assertEqual(table.locate(begin + weight - 0.5), (place, weight - 0.5))
            begin += weight
        self.assertEqual(table.locate(begin), (len(weights) - 1, weights[-1]))
