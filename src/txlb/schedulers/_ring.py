"""
Points on a ring, each with an owner, and who owns the next one.

The ring is the numbers of 64 bits. It is cut into equal parts, each a short
sorted array, about as many as there are points for it: as points are hashes,
they spread evenly, so that to find, add or remove one is O(1).

A point is one number: the upper bits are where it stands, the lower ones are its
owner, a small number as well.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

#: Bits of an owner's number.
OWNER_BITS = 24
OWNERS = (1 << OWNER_BITS) - 1

#: With more points for each part there are twice as many parts.
CROWDED = 8


class Ring:
    """
    The points.
    """

    def __init__(self) -> None:
        self._shift = 64
        self._parts: list[array[int]] = [array("Q")]
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, owner: int, places: Iterable[int]) -> None:
        """
        @param places: numbers of 64 bits, of which the upper 40 count.
        """
        for place in places:
            insort(self._parts[place >> self._shift], place & ~OWNERS | owner)
            self._count += 1
        if self._count > CROWDED * len(self._parts):
            self._divide()

    def remove(self, owner: int, places: Iterable[int]) -> None:
        """
        Take away points that were added.
        """
        for place in places:
            part = self._parts[place >> self._shift]
            del part[bisect_left(part, place & ~OWNERS | owner)]
            self._count -= 1
        if self._count * 2 < len(self._parts):
            self._divide()

    def _divide(self) -> None:
        """
        Cut the ring into twice as many parts as there are points to four.
        """
        points = [point for part in self._parts for point in part]
        bits = max(len(points) // 4, 1).bit_length() - 1
        self._shift = 64 - bits
        self._parts = [array("Q") for _ in range(1 << bits)]
        for point in points:
            # They come in order.
            self._parts[point >> self._shift].append(point)

    def ownerAfter(self, place: int) -> int | None:
        """
        Who owns the first point at or after a place.

        @return: L{None} where there is no point.
        """
        part = self._parts[place >> self._shift]
        index = bisect_left(part, place & ~OWNERS)
        if index < len(part):
            return part[index] & OWNERS
        return next(self.walk(place), None)

    def walk(self, place: int) -> Iterator[int]:
        """
        The owners of all points, once around from a place on.
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
