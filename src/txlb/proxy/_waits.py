"""
Waits that all have the same time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from twisted.logger import Logger

from txlb.deadlines import Deadline, Deadlines

Key = TypeVar("Key", bound=Hashable)

#: Waits that end in one turn of the reactor at most.
BATCH = 64

_log = Logger()


class Waits(Generic[Key]):
    """
    Waits for parties that all have the same time to answer. They end in the order in which they
    began, so that one deadline for the first of them is enough, and one that ends before costs no
    deadline. Time in which the process sleeps does not count.

    @param seconds: the time.
    @param expired: is called with each whose time is over.
    """

    def __init__(
        self, deadlines: Deadlines, seconds: float, expired: Callable[[Key], object]
    ) -> None:
        self._deadlines = deadlines
        self._seconds = seconds
        self._expired = expired
        # A dict takes longer to find its first key the more were removed before it.
        self._since: OrderedDict[Key, float] = OrderedDict()
        self._deadline: Deadline | None = None

    def __len__(self) -> int:
        """
        Count the waits.
        """
        return len(self._since)

    def add(self, key: Key) -> None:
        """
        Begin to wait.
        """
        now = self._deadlines.seconds()
        self._since[key] = now
        if self._deadline is None:
            self._deadline = self._deadlines.patience(self._seconds, self._look, now)

    def remove(self, key: Key) -> None:
        """
        Wait no more.
        """
        del self._since[key]
        if not self._since and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _look(self) -> None:
        self._deadline = None
        deadlines = self._deadlines
        now = deadlines.seconds()
        for _ in range(BATCH):
            if not self._since:
                return
            key, since = next(iter(self._since.items()))
            if since + self._seconds + deadlines.sleptSince(since) > now:
                break
            del self._since[key]
            try:
                self._expired(key)
            except Exception:  # noqa: BLE001 - the others have their time too
                _log.failure("the end of a wait failed")
        if self._since and self._deadline is None:
            since = next(iter(self._since.values()))
            self._deadline = deadlines.patience(self._seconds, self._look, since)
