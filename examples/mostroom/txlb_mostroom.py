"""
A scheduler for txlb: the host with room for the most further connections.
"""

from collections.abc import Sequence

from txlb.interfaces import IHost
from txlb.schedulers import Scheduler


class MostRoom(Scheduler):
    """
    A policy by the most room. A host without a limit has room for a thousand.
    """

    name = "mostroom"

    def choose(self, hosts: Sequence[IHost], clientAddr: object) -> IHost:
        """
        Return the host with the most room.
        """
        return max(hosts, key=lambda host: (host.maxConnections or 1000) - host.active)
