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

#: With more points for each part the ring is cut anew, which takes a step for each point. As
#: a part of 64 points is searched in hardly more time than one of 4, that has to be rare.
CROWDED = 64

#: If as many points come at once as there are, divided by this, all are sorted together.
MANY = 4


class Ring:
    """
    Points with owners.

    @ivar expected: how many points there will be, so that the ring is cut for them at once.
    """

    def __init__(self) -> None:
        self.expected = 0
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
        self.addPoints([place & ~OWNERS | owner for place in places])

    def addPoints(self, points: list[int]) -> None:
        """
        Add points of several owners.

        @param points: for each its place, of which the upper 40 bits count, and the
            number of its owner in the lower ones.
        """
        if len(points) * MANY >= self._count:
            points.extend(point for part in self._parts for point in part)
            points.sort()
            self._cut(points)
            return
        parts, shift = self._parts, self._shift
        for point in points:
            insort(parts[point >> shift], point)
        self._count += len(points)
        if self._count > CROWDED * len(parts):
            self._divide()

    def remove(self, owner: int, places: Iterable[int]) -> None:
        """
        Remove points that were added.
        """
        for place in places:
            part = self._parts[place >> self._shift]
            del part[bisect_left(part, place & ~OWNERS | owner)]
            self._count -= 1
        if self._count * 2 < len(self._parts) > self.expected // 2:
            self._divide()

    def _divide(self) -> None:
        """
        Cut the ring anew.
        """
        self._cut([point for part in self._parts for point in part])

    def _cut(self, points: list[int]) -> None:
        """
        Have these points, which are in their order, in parts of 8 to 16.
        """
        self._count = len(points)
        bits = max(max(self._count, self.expected) // 8, 1).bit_length() - 1
        self._shift = shift = 64 - bits
        parts: list[array[int]] = []
        begin = 0
        for number in range(1, 1 << bits):
            end = bisect_left(points, number << shift, begin)
            parts.append(array("Q", points[begin:end]))
            begin = end
        parts.append(array("Q", points[begin:]))
        self._parts = parts

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
