"""
Clients that wait because every host is full.

They are served in the order in which they came. If the host that has room could not be
reached for a client before, the next client is served instead. The relay reads no bytes
of a client while it waits.
"""

from __future__ import annotations

from collections.abc import Callable

from txlb.pool._dial import Dial, Waiting
from txlb.pool._timers import Timers


class Queue:
    """
    The clients that wait in one group. Owned by the pool.

    @param mayHelp: returns whether a look for hosts could give a client a host, or end
        a wait.

    @ivar waiting: the clients that wait, the first one first.
    @ivar held: while this is set, no client is served: the pool is being changed.
    """

    def __init__(self, timers: Timers, mayHelp: Callable[[], bool]) -> None:
        self.waiting: dict[int, Waiting] = {}
        self.held = False
        self._timers = timers
        self._mayHelp = mayHelp
        self._serving = False

    def add(self, dial: Dial, deadline: float) -> Waiting:
        """
        Let a client wait from now on.
        """
        waiting = Waiting(self, dial, deadline)
        self.waiting[id(waiting)] = waiting
        self._timers.set(waiting.timer, deadline)
        return waiting

    def forget(self, waiting: Waiting) -> None:
        """
        Let a client wait no more.
        """
        if self.waiting.get(id(waiting)) is waiting:
            del self.waiting[id(waiting)]
            self._timers.clear(waiting.timer)

    def serve(self) -> None:
        """
        Wake the clients whose turn it is, and those that wait in vain, after a change.
        """
        # A client that is woken may end a connection at once. That goes on in
        # this loop, and not in a deeper one.
        if self._serving or self.held:
            return
        self._serving = True
        try:
            while self.waiting and self._mayHelp() and self._serveOne():
                pass
        finally:
            self._serving = False

    def _serveOne(self) -> bool:
        for waiting in self.waiting.values():
            step = waiting.dial.resume()
            if step is not None:
                self.forget(waiting)
                waiting.wake(step)
                return True
        return False
