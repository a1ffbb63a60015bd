"""
The deadlines of many connections, most of which end before their deadline.

Time is divided into slots. A connection is in the slot of its next deadline. When that slot
begins, the wheel asks the connection for its next deadline. So the wheel adds a connection
once, however often its deadline moves on meanwhile, and removes it once.

A slot is wide, so that few are needed. It begins before the deadlines that it holds. A
connection whose deadline is still ahead then goes to a narrow slot, which begins after the
deadline. Most connections end before that, so the precision costs the others nothing.

Source: the simple timing wheel of G. Varghese and T. Lauck, "Hashed and
Hierarchical Timing Wheels", 1987, with a heap of the slots in use in the place
of the ring.
"""

from __future__ import annotations

import heapq
from typing import Protocol

from twisted.logger import Logger

from txlb.deadlines import Deadline, Deadlines

#: Seconds of a narrow slot: a deadline is met at most this much late.
NARROW = 0.002

#: Narrow slots in a wide one, for wide slots of 0.1 s.
WIDE = 50

#: Seconds of a wide slot.
SLOT = NARROW * WIDE


_log = Logger()


class Waiting(Protocol):
    """
    An object that has deadlines.

    @ivar slot: the slot that it is in; the wheel keeps this.
    """

    slot: Slot | None

    def deadlinePassed(self, now: float) -> float | None:
        """
        Do what is due. The deadline has come, or is near, or has moved on since.

        @return: the next deadline, in seconds of the monotonic clock; L{None} for none.
        """

    def breakDown(self) -> None:
        """
        End, as C{deadlinePassed} raised.
        """


#: The objects that are asked at one time.
Slot = set[Waiting]


class Wheel:
    """
    The deadlines of all connections of a loop. Owned by it.
    """

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        # By the number of the narrow slot with which they begin: time = number * NARROW.
        self._slots: dict[int, set[Waiting]] = {}
        self._order: list[int] = []
        self._next: Deadline | None = None
        self._rests = False

    def rest(self) -> None:
        """
        Ask no object until L{goOn}. Objects can be added meanwhile.
        """
        self._rests = True

    def goOn(self) -> None:
        """
        Ask again.
        """
        self._rests = False
        if self._order:
            self._wake()

    def add(self, waiting: Waiting, when: float) -> None:
        """
        Ask an object when a time has come, or up to a wide slot before that.

        @param when: the time, in seconds of the monotonic clock.
        """
        # As _put() does it, without the call: each connection comes here.
        number = int(when / SLOT) * WIDE
        slot = self._slots.get(number)
        if slot is None:
            slot = self._newSlot(number)
        slot.add(waiting)
        waiting.slot = slot

    def _put(self, waiting: Waiting, number: int) -> None:
        slot = self._slots.get(number)
        waiting.slot = slot = self._newSlot(number) if slot is None else slot
        slot.add(waiting)

    def _newSlot(self, number: int) -> Slot:
        slot: Slot = set()
        self._slots[number] = slot
        heapq.heappush(self._order, number)
        if self._order[0] == number:
            self._wake()
        return slot

    def remove(self, waiting: Waiting) -> None:
        """
        Ask an object no more. If it is in no slot this does nothing.
        """
        slot = waiting.slot
        if slot is not None:
            slot.discard(waiting)
            waiting.slot = None

    def _wake(self) -> None:
        if self._rests:
            return
        if self._next is not None:
            self._next.cancel()
        self._next = self._deadlines.at(self._order[0] * NARROW, self._turn)

    def _turn(self) -> None:
        self._next = None
        now = self._deadlines.seconds()
        due = []
        while self._order and self._order[0] * NARROW <= now:
            due.append(self._slots.pop(heapq.heappop(self._order)))
        for slot in due:
            while slot:
                waiting = slot.pop()
                waiting.slot = None
                try:
                    when = waiting.deadlinePassed(now)
                except Exception:  # noqa: BLE001 - the others have their deadlines too
                    _log.failure("a connection broke at its deadline")
                    waiting.breakDown()
                    continue
                if when is None:
                    continue
                if when < now + SLOT:
                    self._put(waiting, int(max(when, now) / NARROW) + 1)
                else:
                    self.add(waiting, when)
        if self._order and self._next is None:
            self._wake()

    def stop(self) -> None:
        """
        Ask no object any more.
        """
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._slots.clear()
        self._order.clear()
