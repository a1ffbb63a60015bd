"""
The last hour of one thing.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence

#: Seconds between two points, and the number of points that are kept: an hour.
INTERVAL = 10.0
POINTS = 360

#: The values of a point, in their order: connections that are open or being opened; new
#: connections a second; failures to connect (of a service: clients that were refused) since the
#: point before; bytes a second from clients and to them; seconds to connect; effective weight.
FIELDS = ("active", "rate", "failures", "inRate", "outRate", "connectTime", "weight")

_WIDTH = len(FIELDS)
#: Stands for a thing that another process has measured, whose counts go on here.
TAKEN_OVER = object()

_UNKNOWN = array("f", [math.nan] * _WIDTH)


class Ring:
    """
    The last L{POINTS} points of a service, a group or a host. Owned by the
    L{txlb.application._history.HistoryService}. It takes about 10.3 KiB and never grows: each
    value is a C{float} of four bytes, with seven digits.

    @ivar source: the thing that was measured last; if it is another one of the same name, its
        counts begin anew.
    @ivar counts: its counts at the last point.
    @ivar mostActive: the most connections of any point since the ring was made.
    @ivar mostRate: the most new connections a second, likewise.
    """

    #: Values of a point.
    width = _WIDTH

    __slots__ = ("_first", "_last", "_values", "counts", "mostActive", "mostRate", "source")

    def __init__(self) -> None:
        self._values = array("f", [0.0]) * (_WIDTH * POINTS)
        self._first = self._last = -1
        self.source: object = None
        self.counts: Sequence[float] = ()
        self.mostActive = 0.0
        self.mostRate = 0.0

    def put(self, number: int, point: Sequence[float]) -> None:
        """
        Keep a point. The points between the last one and this are unknown.

        @param number: the number of the point, higher than that of the last one.
        @param point: the values of L{FIELDS}.
        """
        if self._first < 0:
            self._first = number
        else:
            for missed in range(max(self._last + 1, number - POINTS + 1), number):
                self._write(missed, _UNKNOWN)
        self._last = number
        self._write(number, array("f", point))
        self.mostActive = max(self.mostActive, point[0])
        self.mostRate = max(self.mostRate, point[1])

    def _write(self, number: int, point: array[float]) -> None:
        place = number % POINTS * _WIDTH
        self._values[place : place + _WIDTH] = point

    @property
    def last(self) -> int:
        """
        The number of the last point, or -1.
        """
        return self._last

    def kept(self, after: int) -> tuple[int, array[float]]:
        """
        Return the points after that of a number, for another process.

        @return: the number of the first one, and the values of all; -1 and none if there are none.
        """
        if self._last <= after:
            return -1, array("f")
        first = max(self._first, self._last - POINTS + 1, after + 1)
        found = array("f")
        for number in range(first, self._last + 1):
            place = number % POINTS * _WIDTH
            found += self._values[place : place + _WIDTH]
        return first, found

    def take(self, first: int, points: array[float]) -> None:
        """
        Take over points of another process, which follow those that there are.

        @param first: the number of the first one.
        @param points: what L{kept} has returned.
        """
        for place in range(0, len(points), _WIDTH):
            self.put(first + place // _WIDTH, points[place : place + _WIDTH])
        self.source = TAKEN_OVER

    def follow(self, other: Ring) -> None:
        """
        Become a copy of another ring.
        """
        self._values = other._values[:]
        self._first, self._last = other._first, other._last

    def points(self) -> Iterator[tuple[int, array[float]]]:
        """
        Yield the points, each with its number, the oldest one first.
        """
        if self._first < 0:
            return
        for number in range(max(self._first, self._last - POINTS + 1), self._last + 1):
            place = number % POINTS * _WIDTH
            yield number, self._values[place : place + _WIDTH]

    def latest(self, field: str) -> float:
        """
        Return a value of the last point; 0 if there is none or it is unknown.
        """
        if self._last < 0:
            return 0.0
        value = self._values[self._last % POINTS * _WIDTH + FIELDS.index(field)]
        return 0.0 if math.isnan(value) else value
