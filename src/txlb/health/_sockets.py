"""
Running the conversations of checks.

A balancer of 500 hosts makes 250 checks a second, at the default interval of 2 s. So their
sockets are no transports of the reactor: on Linux they are in an epoll of their own, which the
reactor watches as one descriptor, as the fast relay does. On other systems the reactor watches
each socket.
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
    The runner of the conversations of checks. Owned by the heartbeat.

    @param reactor: watches the descriptors.
    @param watcher: by default an epoll, or the reactor if the system has none.
    @param deadlines: has the timeouts; by default on the monotonic clock of this process.

    @ivar watcher: reports when a descriptor is ready.
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
        Run a check, and close the connection when it ends.

        @return: fires with the verdict. If it is cancelled it fires with a failure that says
            what the check was waiting for. It fails with any error of the check
            that is neither L{OSError} nor L{CheckEnded}.
        """
        return RunningConversation(self.watcher, self._deadlines, connection, conversation).done

    def look(self) -> None:
        """
        Handle the sockets that are ready now. The heartbeat calls this after it began some
        checks.
        """
        self.watcher.look()

    def stop(self) -> None:
        """
        Free the epoll and the timeouts. No check may be under way.
        """
        self.watcher.stop()
        if self._ownsDeadlines:
            self._deadlines.stop()
