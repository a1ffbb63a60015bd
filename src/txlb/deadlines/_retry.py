"""
Tries that fail, with growing pauses.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from txlb.deadlines._deadline import Deadline
from txlb.deadlines._deadlines import Deadlines

#: Seconds from the first failure to the next try; each pause doubles the next one.
FIRST = 1.0

#: Seconds of a pause at most.
LONGEST = 30.0

#: The share by which a pause is shorter or longer at most, at random, so that many balancers
#: don't ask in step after a failure of what they all ask.
JITTER = 0.2


class Retry:
    """
    Calls a function again after a pause: a given one, or after failures one that grows. Owned by
    the part that tries, such as a source of hosts.

    @param deadlines: has the times.
    @param action: is called after each pause.
    @param random: the source of chance.
    @param first: seconds of the first pause.
    @param longest: seconds of a pause at most.
    """

    def __init__(
        self,
        deadlines: Deadlines,
        action: Callable[[], object],
        random: Random | None = None,
        *,
        first: float = FIRST,
        longest: float = LONGEST,
    ) -> None:
        self._deadlines = deadlines
        self._action = action
        self._random = Random() if random is None else random
        self._first, self._longest = first, longest
        self._pause = first
        self._next: Deadline | None = None

    def good(self) -> None:
        """
        Take note that what is asked works, so that the next pause is short.
        """
        self._pause = self._first

    def again(self, seconds: float) -> None:
        """
        Call it in so many seconds, as the last try was good.
        """
        self._pause = self._first
        self._schedule(seconds)

    def later(self) -> None:
        """
        Call it after a pause, as the last try failed.
        """
        pause, self._pause = self._pause, min(self._pause * 2, self._longest)
        self._schedule(pause)

    def _schedule(self, seconds: float) -> None:
        self.stop()
        self._next = self._deadlines.after(
            seconds * (1 + JITTER * self._random.uniform(-1, 1)), self._call
        )

    def _call(self) -> None:
        self._next = None
        self._action()

    def stop(self) -> None:
        """
        Don't call it any more.
        """
        if self._next is not None:
            self._next.cancel()
            self._next = None
