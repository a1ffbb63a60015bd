"""
The thread that notices a wall clock that was set back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Guard:
    """
    A thread that looks once a tick, by the monotonic clock. Owned by a
    L{txlb.deadlines.Deadlines}.

    @param tick: seconds between two looks.
    @param overdue: tells whether C{do} has to be called.
    @param do: is called in the thread.
    """

    def __init__(self, tick: float, overdue: Callable[[], bool], do: Callable[[], None]) -> None:
        self._tick = tick
        self._overdue = overdue
        self._do = do
        self._over = threading.Event()
        # A daemon, so that a balancer that is never stopped does not keep the process
        # alive.
        self._thread = threading.Thread(target=self._run, name="txlb-clock", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        # The wait uses the monotonic clock, as in Python since 3.4.
        while not self._over.wait(self._tick):
            if self._overdue():
                self._do()

    def stop(self) -> None:
        """
        End the thread. It has ended when this returns.
        """
        self._over.set()
        self._thread.join()
