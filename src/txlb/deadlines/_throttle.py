"""
A limit for log lines that could become a flood.
"""

from __future__ import annotations

from collections.abc import Callable

from txlb.deadlines._deadline import Deadline
from txlb.deadlines._deadlines import Deadlines


class Throttle:
    """
    A reporter of the number of times that something happened, limited to one report an
    interval. It reports the first time at once. It reports the sum of all further times
    at the end of the interval, whether or not another one comes. So every time is
    reported within the interval. Owned by its user, which calls L{flush} at its end.

    @param say: is called with the number of times, at least 1, and with the arguments
        of the last L{happened}.
    @param interval: the least seconds between two calls of C{say}.
    """

    def __init__(
        self, deadlines: Deadlines, say: Callable[..., object], interval: float = 1.0
    ) -> None:
        self._deadlines = deadlines
        self._say = say
        self._interval = interval
        self._count = 0
        self._details: tuple[object, ...] = ()
        self._next: Deadline | None = None

    def happened(self, *details: object) -> None:
        """
        Count one time, and report it if there was no report within the interval.

        @param details: arguments for the report; those of the last time are used.
        """
        self._count += 1
        self._details = details
        if self._next is None:
            self._tell()

    def flush(self) -> None:
        """
        Report now the times that are not reported yet.
        """
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._count:
            count, self._count = self._count, 0
            self._say(count, *self._details)

    def _tell(self) -> None:
        self._next = None
        if self._count:
            self.flush()
            self._next = self._deadlines.after(self._interval, self._tell)
