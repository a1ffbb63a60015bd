"""
Many small pieces of work, over several turns of the reactor.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from txlb.deadlines._deadline import Deadline
from txlb.deadlines._deadlines import Deadlines

#: How many pieces are done in one turn. One takes 0.1 ms at most.
AT_ONCE = 50

#: Seconds from one turn with such work to the next one: long enough for the reactor to serve all
#: that is ready.
PAUSE = 0.005

#: How many pieces may wait; with more of them the first one is done at once.
MOST = 100_000

Item = TypeVar("Item")


class Backlog(Generic[Item]):
    """
    Does small pieces of work in the order in which they come: the first L{AT_ONCE} of them at
    once, the others in later turns of the reactor, so that none of these takes long. Owned
    by the part that has the work.

    @param deadlines: where the next turn waits.
    @param work: does a piece.
    """

    def __init__(self, deadlines: Deadlines, work: Callable[[Item], object]) -> None:
        self._deadlines = deadlines
        self._work = work
        self._waiting: deque[Item] = deque()
        self._left = AT_ONCE
        # When the first of those that were done at once was done.
        self._since = deadlines.seconds()
        self._next: Deadline | None = None

    def __len__(self) -> int:
        """
        Return how many pieces wait.
        """
        return len(self._waiting)

    def add(self, items: Iterable[Item]) -> None:
        """
        Do these pieces, now or soon.
        """
        now = self._deadlines.seconds()
        if not self._waiting and now >= self._since + PAUSE:
            self._left, self._since = AT_ONCE, now
        for item in items:
            if self._left and not self._waiting:
                self._left -= 1
                self._work(item)
            else:
                self._waiting.append(item)
                if len(self._waiting) > MOST:
                    self._work(self._waiting.popleft())
        self._schedule()

    def _goOn(self) -> None:
        self._next = None
        self._left, self._since = 0, self._deadlines.seconds()
        try:
            for _ in range(min(AT_ONCE, len(self._waiting))):
                # One of them may clear the rest.
                if self._waiting:
                    self._work(self._waiting.popleft())
        finally:
            self._schedule()

    def _schedule(self) -> None:
        if self._waiting and self._next is None:
            self._next = self._deadlines.after(PAUSE, self._goOn)

    def flush(self) -> None:
        """
        Do all that waits.
        """
        while self._waiting:
            self._work(self._waiting.popleft())
        self.clear()

    def clear(self) -> None:
        """
        Forget all that waits.
        """
        self._waiting.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None
