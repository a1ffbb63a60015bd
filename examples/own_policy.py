"""
A policy of one's own: the host that was quickest to accept its last connection. A host
that has not been tried yet comes first.

    python own_policy.py

Import a module like this in a .tac, and C{lbType="quickest"} works there.
"""

from collections.abc import Sequence

from txlb.interfaces import IHost
from txlb.model import ProxyHost
from txlb.pool import HostPool
from txlb.schedulers import Scheduler, registerScheduler


class Quickest(Scheduler):
    """
    A policy by the shortest time to connect.
    """

    name = "quickest"

    def choose(self, hosts: Sequence[IHost], clientAddr: object) -> IHost:
        """
        Return the host with the shortest time to connect.
        """
        return min(hosts, key=lambda host: host.connectTime or 0.0)


registerScheduler(Quickest.name, Quickest)


def main() -> None:
    """
    Choose a host.
    """
    pool = HostPool(
        "quickest", [ProxyHost("near", "10.0.0.1", 80), ProxyHost("far", "10.9.0.1", 80)]
    )
    pool.getHost("near").connectTime = 0.002
    pool.getHost("far").connectTime = 0.080
    with pool.acquire() as lease:
        print(f"{lease.host.name} is chosen")


if __name__ == "__main__":
    main()
