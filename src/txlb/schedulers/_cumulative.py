"""
Weights at places, and the place at which a number falls into their running sum.

With the weights 3, 1, 2 the running sum is 3, 4, 6: numbers from 0 to below 3 belong to the
first place, those to below 4 to the second, those to below 6 to the third. So a random number
below the total finds each place with a chance in proportion to its weight.

The running sum has two levels: one within each block of places, one over the blocks. A
look-up is two bisections. After a change of one weight the next look-up sums its block and
the totals of all blocks again, which is n / BLOCK + BLOCK additions in
C{itertools.accumulate}; after changes of all weights it sums each block once. Up to some ten
thousand places this was measured to be quicker than a Fenwick tree, which needs only
O(log n) additions, but does them in Python; see the decision 0018.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

#: Places in a block: the square root of 16,384, so that with some ten thousand places neither
#: of the two levels is much longer than the other.
BLOCK = 128


class CumulativeWeights:
    """
    Weights at places, with their running sum. Every sum is computed from the weights, and
    not by adding a difference, so that rounding errors don't add up.
    """

    def __init__(self) -> None:
        self._blocks: list[list[float]] = []
        self._sums: list[list[float]] = []
        # The running sum over the totals of the blocks.
        self._ends: list[float] = []
        # The blocks whose weights changed since the sums were computed.
        self._stale: set[int] = set()

    def __len__(self) -> int:
        return len(self._blocks[-1]) + BLOCK * (len(self._blocks) - 1) if self._blocks else 0

    @property
    def total(self) -> float:
        """
        The sum of all weights.
        """
        if self._stale:
            self._sumUp()
        return self._ends[-1] if self._ends else 0.0

    def weight(self, place: int) -> float:
        """
        Return the weight at a place.
        """
        return self._blocks[place // BLOCK][place % BLOCK]

    def set(self, place: int, weight: float) -> None:
        """
        Set the weight at a place.

        @param place: from 0; a place that has a weight, or the next free one.
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
        self._stale.add(number)

    def removeLast(self) -> None:
        """
        Remove the last place.
        """
        number = len(self._blocks) - 1
        self._blocks[number].pop()
        if self._blocks[number]:
            self._stale.add(number)
        else:
            self._blocks.pop()
            self._sums.pop()
            del self._ends[number:]
            self._stale.discard(number)

    def _sumUp(self) -> None:
        for number in self._stale:
            self._sums[number] = list(accumulate(self._blocks[number]))
        self._stale.clear()
        self._ends = list(accumulate(sums[-1] for sums in self._sums))

    def find(self, number: float) -> int:
        """
        Return the place into whose span of the running sum a number falls.

        @param number: from 0 to below L{total}.
        """
        return self.locate(number)[0]

    def locate(self, number: float) -> tuple[int, float]:
        """
        Return the place as L{find} does, and how far into its span the number is. A number
        that rounding puts on the end of the last span belongs to that span.
        """
        if self._stale:
            self._sumUp()
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
