"""
Weights by place, found again by where a number falls in their running sum.

The running sum is kept in two levels: one within each block of places, one over
the blocks. So a look-up is two bisections, and a change of one weight sums one
block and the sums of all blocks anew: O(sqrt(n)) additions in the interpreter's
own loops. Up to some ten thousand places this is quicker, by measurement, than a
tree that does O(log n) of everything in Python.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

#: Places in a block.
BLOCK = 128


class CumulativeWeights:
    """
    The weights. All sums are made anew from their parts, so that rounding never
    adds up.
    """

    def __init__(self) -> None:
        self._blocks: list[list[float]] = []
        self._sums: list[list[float]] = []
        # The running sum over the blocks, each with all of its places.
        self._ends: list[float] = []

    def __len__(self) -> int:
        return len(self._blocks[-1]) + BLOCK * (len(self._blocks) - 1) if self._blocks else 0

    @property
    def total(self) -> float:
        """
        The sum of all weights.
        """
        return self._ends[-1] if self._ends else 0.0

    def weight(self, place: int) -> float:
        """
        The weight at a place.
        """
        return self._blocks[place // BLOCK][place % BLOCK]

    def set(self, place: int, weight: float) -> None:
        """
        @param place: from 0; the next free one or one that is set already.
        """
        number, inner = divmod(place, BLOCK)
        if number == len(self._blocks):
            self._blocks.append([])
            self._sums.append([])
        block = self._blocks[number]
        if inner == len(block):
            block.append(weight)
        else:
            block[inner] = weight
        self._sumUp(number)

    def removeLast(self) -> None:
        """
        Give up the last place.
        """
        number = len(self._blocks) - 1
        self._blocks[number].pop()
        if self._blocks[number]:
            self._sumUp(number)
        else:
            self._blocks.pop()
            self._sums.pop()
            self._ends.pop()

    def _sumUp(self, number: int) -> None:
        self._sums[number] = list(accumulate(self._blocks[number]))
        self._ends = list(accumulate(sums[-1] for sums in self._sums))

    def find(self, number: float) -> int:
        """
        @param number: from 0 to below L{total}.
        @return: the place whose span in the running sum holds it.
        """
        return self.locate(number)[0]

    def locate(self, number: float) -> tuple[int, float]:
        """
        The same, with how far into its span the number is. Rounding can put a
        number on the far edge of the last span; it counts as in it.
        """
        ends = self._ends
        block = bisect_right(ends, number)
        if block == len(ends):
            block -= 1
        rest = number - ends[block - 1] if block else number
        sums = self._sums[block]
        inner = bisect_right(sums, rest)
        if inner == len(sums):
            inner -= 1
        return block * BLOCK + inner, rest - sums[inner - 1] if inner else rest
