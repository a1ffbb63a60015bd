"""
The last events of a balancer, for clients that come later or wait for more.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from txlb.pool import Event

#: How many events are kept.
MOST = 1000


class History:
    """
    The last events, numbered from 1. It is an observer of a manager, and owned by the
    service that offers the events.

    @param now: the wall clock, in seconds since 1970.

    @ivar last: the number of the newest event, 0 before there is one.
    """

    def __init__(self, most: int = MOST, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._events: deque[tuple[int, float, Event]] = deque(maxlen=most)
        self._waiting: dict[object, Callable[[], object]] = {}
        self.last = 0

    def __call__(self, event: Event) -> None:
        self.add(self._now(), event)

    def add(self, when: float, event: Event) -> None:
        """
        Take in an event.

        @param when: its time in seconds since 1970.
        """
        self.last += 1
        self._events.append((self.last, when, event))
        waiting, self._waiting = self._waiting, {}
        for tell in waiting.values():
            tell()

    def since(self, after: int) -> list[tuple[int, float, Event]]:
        """
        Return the events after one of them, as far as they are kept.

        @param after: its number.
        @return: for each its number, when it came in seconds since 1970, and the
            event.
        """
        return [each for each in self._events if each[0] > after]

    def tellNext(self, tell: Callable[[], object]) -> Callable[[], None]:
        """
        Call a function once, when the next event has come.

        @return: cancels the call.
        """
        subscription = object()
        self._waiting[subscription] = tell

        def cancel() -> None:
            self._waiting.pop(subscription, None)

        return cancel
