"""
One deadline.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from twisted.logger import Logger

if TYPE_CHECKING:
    from txlb.deadlines._sleeps import Sleeps

# The name that the module had when it was one file.
_log = Logger(namespace="txlb.deadlines")


class DeadlineQueue(Protocol):
    """
    The queue that holds a deadline: L{txlb.deadlines.Deadlines}.
    """

    def cancelled(self) -> None:
        """
        Count a deadline of the queue that was cancelled.
        """


class Deadline:
    """
    An action that is called at a time unless it is cancelled before.

    @ivar when: the time, in seconds of the monotonic clock.
    @ivar since: the beginning of the time that another party has to answer; L{None} for
        an action that does not wait for another party, whose time does not grow with a
        sleep of the process.
    @ivar queued: whether the queue holds the deadline; the queue sets this.
    """

    __slots__ = ("_action", "_queue", "queued", "since", "when")

    def __init__(
        self,
        queue: DeadlineQueue,
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
        Whether the action has yet to be called.
        """
        return self._action is not None

    def due(self, sleeps: Sleeps) -> float:
        """
        Return the time at which the action is due.

        @param sleeps: the sleeps of the process.
        """
        return self.when if self.since is None else self.when + sleeps.since(self.since)

    def cancel(self) -> None:
        """
        Cancel the action. If it was called or cancelled before, do nothing.
        """
        if self._action is not None:
            self._action = None
            if self.queued:
                self._queue.cancelled()

    def fire(self) -> None:
        """
        Call the action, unless it was cancelled. An exception of it is logged.
        """
        action, self._action = self._action, None
        if action is not None:
            try:
                action()
            except Exception:  # noqa: BLE001 - an action fails for itself alone
                _log.failure("an action that was due failed")
