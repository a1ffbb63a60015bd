"""
A ring of points, each with an owner, and the owner of the next point.

The ring is the numbers of 64 bits. It is cut into 2**b equal parts, each a short sorted array,
and the upper b bits of a number are the index of its part. A part has at most 8 points
on average, and as points are hashes they spread evenly. So finding, adding or removing a point is
O(1).

A point is one number. The upper 40 bits are its place, the lower 24 its owner, as a small
number.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

#: Bits of an owner's number: for 16 million owners. Of the place 40 bits are left, which tell
#: the points of all hosts apart.
OWNER_BITS = 24
OWNERS = (1 << OWNER_BITS) - 1

#: Points a part, on average, above which the ring gets more parts.
CROWDED = 8


class Ring:
    """
    Points with owners.
    """

    def __init__(self) -> None:
        self._shift = 64
        self._parts: list[array[int]] = [array("Q")]
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, owner: int, places: Iterable[int]) -> None:
        """
        Add points of an owner.

        @param places: numbers of 64 bits, of which the upper 40 count.
        """
        for place in places:
            insort(self._parts[place >> self._shift], place & ~OWNERS | owner)
            self._count += 1
        if self._count > CROWDED * len(self._parts):
            self._divide()

    def remove(self, owner: int, places: Iterable[int]) -> None:
        """
        Remove points that were added.
        """
        for place in places:
            part = self._parts[place >> self._shift]
            del part[bisect_left(part, place & ~OWNERS | owner)]
            self._count -= 1
        if self._count * 2 < len(self._parts):
            self._divide()

    def _divide(self) -> None:
        """
        Cut the ring into parts of 4 to 8 points: a power of two of them, at most a quarter
        of the points.
        """
        points = [point for part in self._parts for point in part]
        bits = max(len(points) // 4, 1).bit_length() - 1
        self._shift = 64 - bits
        self._parts = [array("Q") for _ in range(1 << bits)]
        for point in points:
            # The points are in order already.
            self._parts[point >> self._shift].append(point)

    def ownerAfter(self, place: int) -> int | None:
        """
        Return the owner of the first point at or after a place.

        @return: L{None} if there is no point.
        """
        part = self._parts[place >> self._shift]
        index = bisect_left(part, place & ~OWNERS)
        if index < len(part):
            return part[index] & OWNERS
        return next(self.walk(place), None)

    def walk(self, place: int) -> Iterator[int]:
        """
        Yield the owners of all points, once around the ring from a place on.
        """
        begin = place >> self._shift
        part = self._parts[begin]
        index = bisect_left(part, place & ~OWNERS)
        for point in part[index:]:
            yield point & OWNERS
        for number in range(begin + 1 - len(self._parts), begin):
            for point in self._parts[number]:
                yield point & OWNERS
        for point in part[:index]:
            yield point & OWNERS
