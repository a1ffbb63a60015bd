"""
A manager with an observer, for its tests.
"""

from __future__ import annotations

from random import Random

from txlb.manager import ProxyManager
from txlb.model import ProxyGroup, ProxyHost, ProxyService
from txlb.pool import Event, Failure, FailureKind
from txlb.schedulers import leastc, roundr

REFUSED = Failure(FailureKind.REFUSED)


def hosts(*names: str) -> list[ProxyHost]:
    """
    Hosts of these names.
    """
    return [ProxyHost(name, "127.0.0.1", 7000 + place) for place, name in enumerate(names)]


class Watched:
    """
    A manager of two services, with groups of the same name, and what an
    observer is told.
    """

    def __init__(self) -> None:
        self.now = 50.0
        self.manager = ProxyManager(
            [
                ProxyService(
                    "web",
                    ["127.0.0.1:80", "127.0.0.1:81"],
                    [
                        ProxyGroup("main", leastc, True, hosts("a", "b")),
                        ProxyGroup("spare", roundr, False, hosts("c")),
                    ],
                ),
                ProxyService("mail", ["*:25"], [ProxyGroup("main", leastc, True, hosts("a"))]),
            ],
            seconds=lambda: self.now,
            random=Random(1),
        )
        self.told: list[Event] = []
        self.manager.subscribe(self.told.append)

    def state(self) -> object:
        """
        All that is configured and all that is true, to be compared.
        """
        pools = {
            (service.name, group.name): self.manager.getPool(service.name, group.name)
            for service in self.manager.services.values()
            for group in service.groups
        }
        return (
            dict(self.manager.services),
            [snapshot.asDict() for snapshot in self.manager.snapshot()],
            {
                key: (pool.scheduler, sorted(pool.scheduler.explain(None)))
                for key, pool in pools.items()
            },
        )

    def agrees(self) -> bool:
        """
        Whether what is configured is what the pools have.
        """
        return all(
            [(host.name, host.address, host.weight) for host in group.hosts]
            == [
                (host.name, host.configured.address, host.weight)
                for host in self.manager.getPool(service.name, group.name).hosts
            ]
            and self.manager.getPool(service.name, group.name).scheduler.name == group.scheduler
            for service in self.manager.services.values()
            for group in service.groups
        )
