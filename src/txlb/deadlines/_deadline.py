"""
One deadline.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.logger import Logger

if TYPE_CHECKING:
    from txlb.deadlines._deadlines import Deadlines
    from txlb.deadlines._sleeps import Sleeps

# The name that the module had when it was one file.
_log = Logger(namespace="txlb.deadlines")


class Deadline:
    """
    Something to be done at a time unless it is cancelled before.

    @ivar when: the time, in seconds of the monotonic clock.
    @ivar since: when the other party, whose time to answer it is, began to have it;
        L{None} for what is to be done at its time however long the process slept.
    @ivar queued: whether the queue holds it; the queue keeps this.
    """

    __slots__ = ("_action", "_queue", "queued", "since", "when")

    def __init__(
        self,
        queue: Deadlines,
        when: float,
        action: Callable[[], object],
        since: float | None = None,
    ) -> None:
        self._queue = queue
        self.when = when
        self.since = since
        self.queued = True
        self._action: Callable[[], object] | None = action

    @property
    def pending(self) -> bool:
        """
        Whether it is still to be done.
        """
        return self._action is not None

    def due(self, sleeps: Sleeps) -> float:
        """
        When it is to be done.

        @param sleeps: what the process has slept through.
        """
        return self.when if self.since is None else self.when + sleeps.since(self.since)

    def cancel(self) -> None:
        """
        Don't do it. If it was done or cancelled this does nothing.
        """
        if self._action is not None:
            self._action = None
            if self.queued:
                self._queue.cancelled()

    def fire(self) -> None:
        """
        Do it, unless it was cancelled. What it raises is logged.
        """
        action, self._action = self._action, None
        if action is not None:
            try:
                action()
            except Exception:  # noqa: BLE001 - an action fails for itself alone
                _log.failure("an action that was due failed")
