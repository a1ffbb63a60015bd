"""
The delivery of the last bytes of a side that has failed.
"""

from __future__ import annotations

from collections.abc import Callable

from txlb.deadlines import Deadline, Deadlines
from txlb.proxy._side import Side

#: Seconds that a side has to read the bytes that it got last before it is reset: longer than a
#: program needs that is woken up by them. After them is the first look whether all bytes have
#: reached the side. Each look doubles the time to the next.
SOON = 0.05

#: Seconds between two looks at most.
SELDOM = 0.5

#: Seconds without progress after which it is given up, if the service sets no C{fin}
#: timeout.
LONGEST = 60.0


class Delivery:
    """
    The delivery of the bytes that a side had sent before it failed. They are read and written
    to the other side, and then that side is reset. A reset drops bytes that have not reached
    the peer yet, and on some systems bytes that the peer has not read. So the reset comes when
    all bytes have arrived, and a moment after the last byte.

    The amount is bounded by the bytes that the system holds of the failed side, and the time
    by the C{fin} timeout: if nothing moves for so long the other side is reset as well. Owned
    by its pair.

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
        # The peer has read bytes that moved long ago.
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
        Take note of bytes that were written to the target.
        """
        self._moved = self._progress = self._deadlines.seconds()

    def allRead(self) -> None:
        """
        Take note that there is nothing more to read.
        """
        self._allRead = True
        if self._isThere():
            self._end()
        else:
            self._lookAfter(SOON)

    def _isThere(self) -> bool:
        """
        Say whether all bytes have arrived, and a moment has passed since.
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
        Stop looking.
        """
        if self._next is not None:
            self._next.cancel()
            self._next = None
