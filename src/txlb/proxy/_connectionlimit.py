"""
The limit of connections that the descriptors of the process allow.
"""

from __future__ import annotations

import os
import resource

from twisted.internet.defer import Deferred, succeed
from twisted.internet.selectreactor import SelectReactor
from twisted.logger import Logger

#: Descriptors that are kept for other uses than connections: logs, files that are read, ssh
#: sessions, look-ups of names, programs that are started.
RESERVE = 32

#: Descriptors of a connection: one to the client and one to the host.
PER_CONNECTION = 2

#: Connections for which there is one pipe. A pipe has two descriptors as well; only the few
#: connections that move bulk at a time have one.
CONNECTIONS_PER_PIPE = 16

#: The first descriptor that select() can't watch: C{FD_SETSIZE} of the C library.
SELECT_LIMIT = 1024

#: The number that stands for an infinite limit.
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
            # Some systems have a lower maximum of their own; the soft limit stays.
            pass
    return MANY if soft == resource.RLIM_INFINITY else soft


def openDescriptors() -> int:
    """
    Count the descriptors that are open now.
    """
    try:
        return len(os.listdir("/proc/self/fd")) - 1
    except OSError:
        return RESERVE


class ConnectionLimit:
    """
    The number of all connections of a balancer, and its limit. Owned by its
    L{txlb.application.service.LoadBalancedService}.

    @ivar active: the number of connections. The frontend that admits a connection adds one
        if C{active} is below C{capacity}.
    @ivar capacity: the number that the limit of descriptors allows, at least one.
    """

    def __init__(self, capacity: int = MANY) -> None:
        self.active = 0
        self.capacity = capacity
        self._waiting: list[Deferred[None]] = []

    def fitThisProcess(self, reactor: object = None, pipes: int = 0) -> int:
        """
        Raise the limit of descriptors, and count what is left for connections.

        The capacity is half of the free descriptors, less the pipes: a connection has two
        descriptors, and a pipe has two.

        @param reactor: the reactor, which may have a limit for the descriptors that it
            watches. That limit holds for all descriptors then, because the system gives out
            the lowest free number, and the reactor gets any of them.
        @param pipes: how many pipes are wanted.
        @return: how many pipes there may be: no more than wanted, and one for each
            C{CONNECTIONS_PER_PIPE} connections.
        """
        limit = raiseDescriptorLimit()
        if isinstance(reactor, SelectReactor):
            limit = min(limit, SELECT_LIMIT)
        # The connections that there are have their descriptors already.
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
        Subtract a connection that has ended.
        """
        self.active -= 1
        if not self.active:
            waiting, self._waiting = self._waiting, []
            for deferred in waiting:
                deferred.callback(None)

    def whenEmpty(self) -> Deferred[None]:
        """
        Wait until there is no connection.

        @return: fires with L{None} then, maybe at once. It does not fail.
        """
        if not self.active:
            return succeed(None)
        deferred: Deferred[None] = Deferred()
        self._waiting.append(deferred)
        return deferred
