"""
The things that metrics are about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from txlb.admin.metrics._groupfacts import GroupFacts
from txlb.admin.metrics._processfacts import ProcessFacts
from txlb.application import EventPublisher
from txlb.pool import ServiceSnapshot

if TYPE_CHECKING:
    from txlb.admin._target import Target
    from txlb.cluster import ClusterState
    from txlb.discovery import DiscoveryState
    from txlb.pool import Host

#: Services and hosts that are collected at a time, which takes about half a millisecond.
AT_ONCE = 50


@dataclass(slots=True)
class Balancing:
    """
    The balancer as a whole.

    @ivar process: this process.
    @ivar connections: the connections that it has; L{None} if it relays none.
    @ivar limit: the most that the limit of descriptors allows; L{None} if it is not known.
    @ivar faults: the number of faults of certificates' files.
    """

    process: ProcessFacts
    connections: int | None = None
    limit: int | None = None
    faults: int = 0


@dataclass(slots=True)
class Scene:
    """
    The things that there are at the time of a scrape. They are kept for its whole time, so that
    each family has the same things; their values are those of the time at which they are
    written.

    @ivar target: the balancer, or the cloned application.
    @ivar now: the time, in seconds of the pools' clock.
    """

    target: Target
    now: float = 0.0
    balancer: Balancing = field(default_factory=lambda: Balancing(ProcessFacts()))
    services: list[ServiceSnapshot] = field(default_factory=list)
    serviceLimits: dict[str, int] = field(default_factory=dict)
    groups: list[GroupFacts] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)
    listeners: list[Mapping[str, object]] = field(default_factory=list)
    processes: list[Mapping[str, object]] = field(default_factory=list)
    certificates: list[Mapping[str, object]] = field(default_factory=list)
    clusters: list[ClusterState] = field(default_factory=list)
    sources: list[tuple[DiscoveryState, float | None]] = field(default_factory=list)
    publishers: list[EventPublisher] = field(default_factory=list)

    def collecting(self) -> Iterator[None]:
        """
        Collect everything, in steps of less than a millisecond.
        """
        balancer = self.target.balancer
        manager = balancer.manager
        self.now = manager.seconds()
        for number, name in enumerate(tuple(manager.services)):
            if name not in manager.services:
                continue  # it has gone since the first step
            service = manager.serviceSnapshot(name, hosts=False)
            self.services.append(service)
            self.serviceLimits[name] = manager.getService(name).maxConnections
            for snapshot in service.groups:
                pool = manager.getPool(name, snapshot.name)
                serving = snapshot.name == service.serving
                group = GroupFacts(name, snapshot, pool, serving)
                self.groups.append(group)
                self.hosts += group.hosts
                if len(group.hosts) > AT_ONCE:
                    yield
            if number % AT_ONCE == AT_ONCE - 1:
                yield
        yield
        self._collectListeners()
        yield
        clones = self.target.clones
        self.processes = list((balancer.clones if clones is None else clones).processes())
        yield
        yield from self._collectingCertificates()
        connections = getattr(balancer, "connections", None)
        limit = getattr(balancer, "connectionLimit", None)
        self.balancer = Balancing(ProcessFacts(connections or 0), connections, limit)
        certificates = getattr(balancer, "certificates", None)
        if certificates is not None:
            self.balancer.faults = len(certificates.faults())
        yield
        self._collectOthers()
        yield

    def _collectOthers(self) -> None:
        """
        Collect what the balancer has to do with other machines. A cloned application has nothing
        of it.
        """
        balancer = self.target.balancer
        cluster = getattr(balancer, "cluster", None)
        state = None if cluster is None else cluster.state
        self.clusters = [] if state is None else [state]
        discovery = getattr(balancer, "discovery", None)
        for source in () if discovery is None else discovery.states():
            age = None if source.answered is None else max(self.now - source.answered, 0.0)
            self.sources.append((source, age))
        self.publishers = EventPublisher.of(balancer.manager)

    def _collectListeners(self) -> None:
        balancer = self.target.balancer
        for name in balancer.getProxyNames():
            listener = balancer.getProxyService(name)
            for address in listener.addresses:
                self.listeners.append(
                    {
                        "listener": str(name),
                        "service": listener.serviceName,
                        "address": str(address),
                        "accepting": getattr(listener, "isAccepting", True),
                    }
                )

    def _collectingCertificates(self) -> Iterator[None]:
        certificates = getattr(self.target.balancer, "certificates", None)
        if certificates is None:
            return
        # Several listeners may use one file.
        found: dict[tuple[str, str], Mapping[str, object]] = {}
        for number, row in enumerate(certificates.rows()):
            found[str(row["file"]), str(row["fingerprint"])] = row
            if number % AT_ONCE == AT_ONCE - 1:
                yield
        self.certificates = list(found.values())
