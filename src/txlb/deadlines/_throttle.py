"""
Lines of a log that could become a flood.
"""

from __future__ import annotations

from collections.abc import Callable

from txlb.deadlines._deadline import Deadline
from txlb.deadlines._deadlines import Deadlines


class Throttle:
    """
    A speaker that tells how often something happened, at most once in a while: of the
    first time at once, and of all that follow within the interval as a sum when it is
    over, whether anything more happens or not. So every time is told of, within the
    interval. Owned by its user, which calls L{flush} at its end.

    @param say: is called with the number of times, at least 1, and with what
        L{happened} was given for the last of them.
    @param interval: seconds between two calls of C{say} at least.
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
        Count one more time, and tell of it if nothing was told within the interval.

        @param details: what there is to tell; of several times the last ones.
        """
        self._count += 1
        self._details = details
        if self._next is None:
            self._tell()

    def flush(self) -> None:
        """
        Tell now of what is not told yet.
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
