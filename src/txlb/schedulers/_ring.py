"""
A ring of points, each with an owner, and the owner of the next point.

The ring is the numbers of 64 bits. It is cut into 2**12 equal parts, each a short sorted array,
and the upper 12 bits of a number are the index of its part. As points are hashes they spread
evenly: a part has 4 points if there are 16,384, and 400 if 50,000 hosts have 32 points each. A
step in a part costs the logarithm of that, and to add a point moves no more than the points of
one part. The parts never change, so that no step takes long.

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

#: The number of parts, and how far a point is shifted to get the index of its part.
PARTS = 1 << 12
SHIFT = 64 - 12


class Ring:
    """
    Points with owners.
    """

    def __init__(self) -> None:
        self._parts = [array("Q") for _ in range(PARTS)]
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, owner: int, places: Iterable[int]) -> None:
        """
        Add points of an owner.

        @param places: numbers of 64 bits, of which the upper 40 count.
        """
        parts = self._parts
        for place in places:
            insort(parts[place >> SHIFT], place & ~OWNERS | owner)
            self._count += 1

    def remove(self, owner: int, places: Iterable[int]) -> None:
        """
        Remove points that were added.
        """
        for place in places:
            part = self._parts[place >> SHIFT]
            del part[bisect_left(part, place & ~OWNERS | owner)]
            self._count -= 1

    def ownerAfter(self, place: int) -> int | None:
        """
        Return the owner of the first point at or after a place.

        @return: L{None} if there is no point.
        """
        part = self._parts[place >> SHIFT]
        index = bisect_left(part, place & ~OWNERS)
        if index < len(part):
            return part[index] & OWNERS
        return next(self.walk(place), None)

    def walk(self, place: int) -> Iterator[int]:
        """
        Yield the owners of all points, once around the ring from a place on.
        """
        begin = place >> SHIFT
        part = self._parts[begin]
        index = bisect_left(part, place & ~OWNERS)
        for point in part[index:]:
            yield point & OWNERS
        for number in range(begin + 1 - PARTS, begin):
            for point in self._parts[number]:
                yield point & OWNERS
        for point in part[:index]:
            yield point & OWNERS
