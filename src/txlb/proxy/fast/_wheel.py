"""
Deadlines of many connections, most of which end before theirs.

Time is cut into slots. A connection stands in the slot of its next deadline,
and when that comes up it is asked for the one after it. So a connection is put
in once, however often its deadline moves on meanwhile, and taken out once.

Source: the simple timing wheel of G. Varghese and T. Lauck, "Hashed and
Hierarchical Timing Wheels", 1987, with a heap of the slots in use in the place
of the ring.
"""

from __future__ import annotations

import heapq
from typing import Protocol

from twisted.logger import Logger

from txlb.deadlines import Deadline, Deadlines

#: Seconds of one slot: a deadline is met at most this much late.
SLOT = 0.1


_log = Logger()


class Waiting(Protocol):
    """
    Something that has deadlines.

    @ivar slot: the slot that it stands in; the wheel keeps this.
    """

    slot: set[Waiting] | None

    def deadlinePassed(self, now: float) -> float | None:
        """
        The deadline has come, or one that has moved on since.

        @return: the next one, in seconds of the monotonic clock; L{None} for
            no other.
        """


class Wheel:
    """
    The deadlines of all connections of a loop. Owned by it.
    """

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._slots: dict[int, set[Waiting]] = {}
        self._order: list[int] = []
        self._next: Deadline | None = None

    def add(self, waiting: Waiting, when: float) -> None:
        """
        Ask it when a time has come.
        """
        number = int(when / SLOT) + 1
        slot = self._slots.get(number)
        if slot is None:
            slot = self._slots[number] = set()
            heapq.heappush(self._order, number)
            if self._order[0] == number:
                self._wake()
        slot.add(waiting)
        waiting.slot = slot

    def remove(self, waiting: Waiting) -> None:
        """
        Ask it no more; where it stands in no slot this does nothing.
        """
        slot = waiting.slot
        if slot is not None:
            slot.discard(waiting)
            waiting.slot = None

    def _wake(self) -> None:
        if self._next is not None:
            self._next.cancel()
        self._next = self._deadlines.at(self._order[0] * SLOT, self._turn)

    def _turn(self) -> None:
        self._next = None
        now = self._deadlines.seconds()
        due = []
        while self._order and self._order[0] * SLOT <= now:
            due.append(self._slots.pop(heapq.heappop(self._order)))
        for slot in due:
            while slot:
                waiting = slot.pop()
                waiting.slot = None
                try:
                    when = waiting.deadlinePassed(now)
                except Exception:  # noqa: BLE001 - the others have their deadlines too
                    _log.failure("a connection could not be asked for its deadline")
                    continue
                if when is not None:
                    self.add(waiting, max(when, now))
        if self._order and self._next is None:
            self._wake()

    def stop(self) -> None:
        """
        Ask nobody any more.
        """
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._slots.clear()
        self._order.clear()
