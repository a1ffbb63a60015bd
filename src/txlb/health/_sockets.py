"""
Running the conversations of checks.

A balancer of 500 hosts makes 250 checks a second. So their sockets are not
transports of the reactor's: on Linux they are in an epoll of their own, which the
reactor watches as one descriptor, as the fast relay does. Elsewhere the reactor
watches each.
"""

from __future__ import annotations

import select
import time
from typing import Any

from twisted.internet.defer import Deferred

from txlb.deadlines import Deadlines
from txlb.health._checkconnection import CheckConnection, Conversation
from txlb.health._epollwatcher import EpollWatcher
from txlb.health._reactorwatcher import ReactorWatcher
from txlb.health._runningconversation import RunningConversation
from txlb.health._verdict import Verdict
from txlb.health._watcher import Watcher


class Sockets:
    """
    Runs the conversations of checks. Owned by the heartbeat.

    @param reactor: watches.
    @param deadlines: where timeouts wait; by default on this process's monotonic clock.

    @ivar watcher: what tells when a descriptor is ready.
    """

    def __init__(
        self, reactor: Any, watcher: Watcher | None = None, deadlines: Deadlines | None = None
    ) -> None:
        self._ownsDeadlines = deadlines is None
        self._deadlines = Deadlines(reactor, time.monotonic) if deadlines is None else deadlines
        if watcher is not None:
            self.watcher = watcher
        elif hasattr(select, "epoll"):
            self.watcher = EpollWatcher(reactor)
        else:
            self.watcher = ReactorWatcher(reactor)

    def run(self, connection: CheckConnection, conversation: Conversation) -> Deferred[Verdict]:
        """
        Run a check.

        @return: fires with what it found. Where it is cancelled it fires with
            what it was waiting for in vain. It fails with whatever a check
            raises that is neither L{OSError} nor L{CheckEnded}.
        """
        return RunningConversation(self.watcher, self._deadlines, connection, conversation).done

    def look(self) -> None:
        """
        Finish what can be finished now; after a batch of checks was begun.
        """
        self.watcher.look()

    def stop(self) -> None:
        """
        Free what is held. No check may be under way.
        """
        self.watcher.stop()
        if self._ownsDeadlines:
            self._deadlines.stop()
