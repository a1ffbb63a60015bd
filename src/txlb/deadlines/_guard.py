"""
The thread that notices a wall clock that was set back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Guard:
    """
    A thread that looks once a tick, by a clock that nobody can set. Owned by a
    L{txlb.deadlines.Deadlines}.

    @param tick: seconds between two looks.
    @param overdue: whether there is something to do.
    @param do: what to do then.
    """

    def __init__(self, tick: float, overdue: Callable[[], bool], do: Callable[[], None]) -> None:
        self._tick = tick
        self._overdue = overdue
        self._do = do
        self._over = threading.Event()
        # A daemon, so that a balancer which is never stopped keeps no process alive.
        self._thread = threading.Thread(target=self._run, name="txlb-clock", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        # Waits by the monotonic clock, as Python does since 3.4.
        while not self._over.wait(self._tick):
            if self._overdue():
                self._do()

    def stop(self) -> None:
        """
        End it. It is over when this returns.
        """
        self._over.set()
        self._thread.join()
