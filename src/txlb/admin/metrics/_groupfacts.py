"""
The facts of a group that metrics show.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from txlb.pool import GroupSnapshot, Host, HostPool


class GroupFacts:
    """
    A group at the time of a scrape.

    @ivar service: the name of its service.
    @ivar snapshot: the group without its hosts.
    @ivar pool: its hosts as they are now.
    @ivar serving: whether it gets its service's clients.
    @ivar hosts: the hosts that are configured.
    @ivar leaving: those that were removed and have connections left.
    """

    __slots__ = ("hosts", "leaving", "pool", "service", "serving", "snapshot")

    def __init__(self, service: str, snapshot: GroupSnapshot, pool: HostPool, serving: bool):
        self.service = service
        self.snapshot = snapshot
        self.pool = pool
        self.serving = serving
        self.hosts: list[Host] = pool.hosts
        self.leaving: list[Host] = pool.leaving

    @property
    def everyHost(self) -> Iterable[Host]:
        """
        The hosts that are configured, and those that are leaving.
        """
        return (*self.hosts, *self.leaving)

    def total(self, counter: str) -> int:
        """
        Return the sum of a count over the hosts that there are and that were, which only
        grows.

        @param counter: the name of an attribute of L{txlb.pool.HostCounters}.
        """
        total: int = getattr(self.pool.counters.former, counter)
        total += sum(map(attrgetter(f"counters.{counter}"), self.everyHost))
        return total

    def active(self) -> int:
        """
        Return the number of connections of all hosts.
        """
        return sum(host.active for host in self.everyHost)
