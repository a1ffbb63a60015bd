"""
The queue of steps that each take a while.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from twisted.logger import Logger

from txlb.deadlines import Deadlines
from txlb.proxy._truncations import Truncations

#: Seconds of steps in a turn of the reactor. A step of a handshake takes 0.1 to 1.5 ms. All else
#: that the reactor does waits for so long, twice for a small request and its answer.
BUDGET = 0.001

_log = Logger()


class Stepping(Protocol):
    """
    A part that does its work in steps.

    @ivar queued: whether it waits for its turn; the queue keeps this.
    """

    queued: bool

    def moveBulk(self) -> None:
        """
        Do one step.
        """

    def breakDown(self) -> None:
        """
        End, as a step raised.
        """


class StepQueue:
    """
    The queue of steps of handshakes, for connections that the reactor watches. In each turn of
    the reactor it does steps for a millisecond, one for each connection after the other.
    The loop of the fast relay has such a queue of its own. Owned by the relays of a service.

    @ivar truncations: the log of TLS streams that were cut off.
    """

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self.truncations = Truncations(deadlines)
        self._queue: deque[Stepping] = deque()
        self._awake = False

    def queueBulk(self, step: Stepping) -> None:
        """
        Have a step done in one of the next turns.
        """
        if not step.queued:
            step.queued = True
            self._queue.append(step)
            self._wake()

    def _wake(self) -> None:
        if not self._awake:
            self._awake = True
            self._deadlines.after(0.0, self._turn)

    def _turn(self) -> None:
        self._awake = False
        until = self._deadlines.seconds() + BUDGET
        queue = self._queue
        while queue:
            step = queue.popleft()
            step.queued = False
            try:
                step.moveBulk()
            except Exception:  # noqa: BLE001 - it ends only that connection
                _log.failure("a handshake broke")
                step.breakDown()
            if self._deadlines.seconds() > until:
                break
        if queue:
            self._wake()
