"""
The last events of a balancer, for clients that come later or wait for more.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable

from txlb._facts import Facts
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

    def rows(self, after: int) -> list[dict[str, object]]:
        """
        Return the events after one of them as plain values, for L{restore} of another process.

        @param after: its number.
        """
        return [
            {"number": number, "at": when, **event.asDict()}
            for number, when, event in self.since(after)
        ]

    def restore(self, rows: Iterable[object], *, anew: bool) -> None:
        """
        Have the events of another process, with their numbers.

        @param rows: what L{rows} has returned there.
        @param anew: whether to forget the events so far. Otherwise these come after them.
        @raise StateError: one of them can't be right. Then nothing has changed.
        """
        last = 0 if anew else self.last
        found: list[tuple[int, float, Event]] = []
        for row in rows:
            facts = Facts(row, "an event")
            number, when = facts.whole("number", least=1), facts.number("at")
            if number <= last:
                raise facts.wrong("number", f"more than {last}")
            last = number
            event = Event.of(facts)
            if event is not None:
                found.append((number, when, event))
        if anew:
            self._events.clear()
        self._events.extend(found)
        self.last = last

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
