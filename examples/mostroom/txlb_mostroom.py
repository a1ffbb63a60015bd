"""
A scheduler for txlb: the host that has room for the most connections more.
"""

from collections.abc import Sequence

from txlb.interfaces import IHost
from txlb.schedulers import Scheduler


class MostRoom(Scheduler):
    """
    The most room. A host without a limit has room for a thousand.
    """

    name = "mostroom"

    def choose(self, hosts: Sequence[IHost], clientAddr: object) -> IHost:
        """
        See L{Scheduler.choose}.
        """
        return max(hosts, key=lambda host: (host.maxConnections or 1000) - host.active)
