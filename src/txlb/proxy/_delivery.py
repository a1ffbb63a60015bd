"""
The last bytes of a side that has failed, on their way to the other one.
"""

from __future__ import annotations

from collections.abc import Callable

from txlb.deadlines import Deadline, Deadlines
from txlb.proxy._side import Side

#: Seconds that a side has to read what it got last before it is reset. After them is the
#: first look whether everything has reached it. Each look doubles the time to the next.
SOON = 0.05

#: Seconds between two looks at most.
SELDOM = 0.5

#: Seconds without progress after which it is given up, if the service sets no C{fin}
#: timeout.
LONGEST = 60.0


class Delivery:
    """
    What a side had sent before it failed is read and delivered, and then the other side is
    reset. A reset takes from a system what has not reached its peer yet, and some systems
    drop what was not read by then. So it comes when everything has arrived, and a moment
    after the last byte.

    The amount is bounded by what the system holds of the failed side, and the time by the
    C{fin} timeout: if nothing moves for so long the other side is reset as well. Owned by
    its pair.

    @param target: the side that gets the bytes.
    @param limit: seconds without progress after which it is given up.
    @param lastMoved: when bytes moved last, in seconds of the monotonic clock.
    @param over: is called once it is over, to reset what is left.
    """

    def __init__(
        self,
        deadlines: Deadlines,
        target: Side,
        limit: float,
        lastMoved: float,
        over: Callable[[], object],
    ) -> None:
        self.target = target
        self._deadlines = deadlines
        self._limit = limit or LONGEST
        # Bytes that moved long ago were read long ago.
        self._moved = lastMoved
        self._progress = deadlines.seconds()
        self._undelivered = target.undelivered
        self._allRead = False
        self._delay = SOON
        self._over = over
        self._next: Deadline | None = None
        self._lookAfter(self._limit)

    def moved(self) -> None:
        """
        Bytes were written to the target.
        """
        self._moved = self._progress = self._deadlines.seconds()

    def allRead(self) -> None:
        """
        There is nothing more to read.
        """
        self._allRead = True
        if self._isThere():
            self._end()
        else:
            self._lookAfter(SOON)

    def _isThere(self) -> bool:
        """
        Whether all has arrived, a moment ago.
        """
        undelivered = self.target.undelivered
        now = self._deadlines.seconds()
        if undelivered != self._undelivered:
            self._undelivered = undelivered
            self._progress = now
        return self._allRead and not undelivered and now - self._moved >= SOON

    def _look(self) -> None:
        self._next = None
        if self._isThere():
            self._end()
            return
        slept = self._deadlines.sleptSince(self._progress)
        left = self._progress + self._limit + slept - self._deadlines.seconds()
        if left <= 0:
            self._end()
        elif self._allRead:
            self._delay = min(2 * self._delay, SELDOM)
            self._lookAfter(min(left, self._delay))
        else:
            self._lookAfter(left)

    def _lookAfter(self, delay: float) -> None:
        self.stop()
        self._next = self._deadlines.after(delay, self._look)

    def _end(self) -> None:
        self.stop()
        self._over()

    def stop(self) -> None:
        """
        Look no more.
        """
        if self._next is not None:
            self._next.cancel()
            self._next = None
