"""
The one timer that advances all pools.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import Service

from txlb.deadlines import Deadline, Deadlines
from txlb.manager import ProxyManager
from txlb.pool import Event


class PoolTimer(Service):
    """
    The caller of C{manager.advance} whenever a pool has something due.
    """

    def __init__(self, manager: ProxyManager, deadlines: Deadlines) -> None:
        self._manager = manager
        self._deadlines = deadlines
        self._next: Deadline | None = None
        self._unsubscribe: Callable[[], None] | None = None

    def startService(self) -> None:
        """
        Begin.
        """
        super().startService()
        self._unsubscribe = self._manager.subscribe(self._happened)
        self._manager.onDeadline = self._by
        self._schedule()

    def stopService(self) -> None:
        """
        End.
        """
        super().stopService()
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
            self._manager.onDeadline = None
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _happened(self, event: Event) -> None:
        # Only that pool can have something new due: there may be hundreds of pools.
        self._byIfAny(self._manager.nextDeadlineOf(event))

    def _schedule(self) -> None:
        self._byIfAny(self._manager.nextDeadline())

    def _byIfAny(self, when: float | None) -> None:
        if when is not None:
            self._by(when)

    def _by(self, when: float) -> None:
        """
        Wake up by a time.
        """
        if self._next is not None and self._next.when <= when:
            return
        if self._next is not None:
            self._next.cancel()
        self._next = self._deadlines.at(when, self._advance)

    def _advance(self) -> None:
        self._next = None
        self._manager.advance(self._deadlines.seconds())
        self._schedule()
