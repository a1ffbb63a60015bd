"""
How many descriptors there are, and so how many connections there can be.
"""

from __future__ import annotations

import os
import resource

from twisted.internet.defer import Deferred, succeed
from twisted.internet.selectreactor import SelectReactor
from twisted.logger import Logger

#: Descriptors that are kept for everything but connections: logs, files that
#: are read, ssh sessions, look-ups of names, programs that are started.
RESERVE = 32

#: A connection has one to the client and one to the host.
PER_CONNECTION = 2

#: A pipe has two as well, and is wanted by few connections at a time.
CONNECTIONS_PER_PIPE = 16

#: select() knows no descriptor from this one on: the C{FD_SETSIZE} of the system's
#: C library.
SELECT_LIMIT = 1024

#: For a limit that says infinity.
MANY = 1 << 30

_log = Logger()


def raiseDescriptorLimit() -> int:
    """
    Raise the limit of open descriptors to the highest value that this process
    may give itself.

    @return: the limit that is in force now.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):
            # Some systems have a lower bound of their own; what there is, is.
            pass
    return MANY if soft == resource.RLIM_INFINITY else soft


def openDescriptors() -> int:
    """
    How many descriptors are open now.
    """
    try:
        return len(os.listdir("/proc/self/fd")) - 1
    except OSError:
        return RESERVE


class ConnectionLimit:
    """
    All connections of a balancer together. Owned by its
    L{txlb.application.service.LoadBalancedService}.

    @ivar active: how many there are. Who takes one in counts it here, where there
        is room for it.
    @ivar capacity: how many the limit of descriptors allows, at least one.
    """

    def __init__(self, capacity: int = MANY) -> None:
        self.active = 0
        self.capacity = capacity
        self._waiting: list[Deferred[None]] = []

    def fitThisProcess(self, reactor: object = None, pipes: int = 0) -> int:
        """
        Raise the limit of descriptors, and count what is left for connections.

        @param reactor: what watches some of them, and may have a limit of its own.
            Then all have to keep to it, whoever watches them: numbers are given out
            from the lowest on, and what the reactor watches gets those that are left.
        @param pipes: how many pipes are wanted.
        @return: how many pipes there may be: no more than wanted, and far fewer
            than connections.
        """
        limit = raiseDescriptorLimit()
        if isinstance(reactor, SelectReactor):
            limit = min(limit, SELECT_LIMIT)
        # Those that connections have now are theirs already.
        free = limit - openDescriptors() - RESERVE + PER_CONNECTION * self.active
        pipes = max(0, min(pipes, free // PER_CONNECTION // CONNECTIONS_PER_PIPE))
        self.capacity = max(1, free // PER_CONNECTION - pipes)
        _log.info(
            "{limit} descriptors allow {capacity} connections at once",
            limit=limit,
            capacity=self.capacity,
        )
        return pipes

    def remove(self) -> None:
        """
        One less.
        """
        self.active -= 1
        if not self.active:
            waiting, self._waiting = self._waiting, []
            for deferred in waiting:
                deferred.callback(None)

    def whenEmpty(self) -> Deferred[None]:
        """
        @return: fires with L{None} when there is no connection, maybe now. It
            does not fail.
        """
        if not self.active:
            return succeed(None)
        deferred: Deferred[None] = Deferred()
        self._waiting.append(deferred)
        return deferred
