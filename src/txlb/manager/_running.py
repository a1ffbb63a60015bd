"""
What runs: the services and their pools.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from txlb._facts import Facts
from txlb.errors import UnknownName
from txlb.manager._failover import Failover
from txlb.model import ProxyGroup, ProxyService
from txlb.pool import (
    Admission,
    Details,
    Ending,
    Event,
    EventKind,
    Host,
    HostPool,
    Outcome,
    ServiceCounters,
    ServiceSnapshot,
)

#: What happens to the connections of hosts, by service, group and host.
Endings = dict[tuple[str, str], dict[str, Ending]]

#: After these events another group may have to stand in.
FLIPS = frozenset(
    {
        EventKind.HOST_DOWN,
        EventKind.HOST_UP,
        EventKind.HOST_RESOLVED,
        EventKind.BACKUP_USED,
        EventKind.BACKUP_LEFT,
        EventKind.GROUP_DOWN,
        EventKind.GROUP_UP,
    }
)


class Running:
    """
    The services as they are configured and, for each, its pools, counters and
    admission. Owned by the manager. L{Reconciler} is the only writer of the
    services; everything else reads.

    @param publish: passes an event on, and returns whether it did so at once, and not at the
        end of a change.

    @ivar services: the services by name, as configured.
    @ivar pools: the pools by the names of service and group.
    @ivar revision: changes whenever L{getService} or L{getPool} may return
        something else, so that a caller can keep what they returned.
    @ivar onDeadline: see L{txlb.manager.ProxyManager}.
    @ivar onCut: see L{txlb.manager.ProxyManager}.
    """

    def __init__(
        self,
        publish: Callable[[Event], bool],
        seconds: Callable[[], float],
        random: Random,
    ) -> None:
        self.seconds = seconds
        self.services: dict[str, ProxyService] = {}
        self.pools: dict[tuple[str, str], HostPool] = {}
        self.revision = 0
        self.onDeadline: Callable[[float], object] | None = None
        self.onCut: Callable[[Host, Outcome], object] | None = None
        self._publish = publish
        self._random = random
        # The pools of groups that were removed, until their last work has ended.
        self._parting: list[HostPool] = []
        # Those of them that another process has had, by the names of service and group.
        self._former: dict[tuple[str, str], HostPool] = {}
        self._counters: dict[str, ServiceCounters] = {}
        self._admissions: dict[str, Admission] = {}
        # The services in which a group may have to stand in.
        self._guarded: dict[str, ProxyService] = {}
        self._failover = Failover(self._upCount, self._switched)

    # Following the configuration

    def follow(self, wanted: Sequence[ProxyService], endings: Endings) -> None:
        """
        Have these services, with a pool for each group. Pools of groups that stay
        follow their group; the hosts of groups that go are removed.
        """
        names = {(service.name, group.name) for service in wanted for group in service.groups}
        for key, pool in self.pools.items():
            if key not in names:
                pool.follow(replace(pool.settings, hosts=()))
                self._parting.append(pool)
        self.pools = {
            (service.name, group.name): self._poolOf(service.name, group, endings)
            for service in wanted
            for group in service.groups
        }
        self._counters = {
            service.name: self._counters.get(service.name) or ServiceCounters()
            for service in wanted
        }
        self._admissions = {service.name: self._admissionOf(service) for service in wanted}
        before, self.services = self.services, {service.name: service for service in wanted}
        if before.keys() - self.services.keys():
            self._failover.forget(tuple(self.services))
        standIns = self._failover.standIns
        self._guarded = {
            service.name: service
            for service in wanted
            if service.name in standIns or any(group.backup for group in service.groups)
        }
        self._part()
        self.revision += 1

    def _poolOf(self, serviceName: str, group: ProxyGroup, endings: Endings) -> HostPool:
        key = serviceName, group.name
        pool = self.pools.get(key)
        if pool is None:
            pool = HostPool(
                group.scheduler,
                group.hosts,
                service=serviceName,
                group=group.name,
                settings=group,
                seconds=self.seconds,
                random=self._random,
                publish=self.publish,
            )
            pool.cut = self._cut
            pool.wakeBy = self._wakeBy
        elif pool.settings is not group or key in endings:
            pool.follow(group, endings.get(key))
        return pool

    def _admissionOf(self, service: ProxyService) -> Admission:
        admission = self._admissions.get(service.name)
        if admission is None:
            return Admission(service)
        before = self.services[service.name]
        if before is not service and before.admission != service.admission:
            admission.follow(service)
        return admission

    def allPools(self) -> list[HostPool]:
        """
        List the pools, those of removed groups that have work included.
        """
        return [*self.pools.values(), *self._parting]

    def _emptyPool(self, serviceName: str, groupName: str) -> HostPool:
        pool = HostPool(
            hosts=(),
            service=serviceName,
            group=groupName,
            seconds=self.seconds,
            random=self._random,
            publish=self.publish,
        )
        pool.cut = self._cut
        pool.wakeBy = self._wakeBy
        return pool

    def keep(self, pool: HostPool) -> None:
        """
        Keep a pool of L{poolFor} until its work has ended.
        """
        key = pool.service, pool.group
        if self.pools.get(key) is not pool and key not in self._former:
            self._parting.append(pool)
            self._former[key] = pool

    def poolFor(self, serviceName: str, groupName: str) -> HostPool:
        """
        Find the pool for what moves here from another process. If its group is not configured any
        more, it is a pool of which nothing is configured.
        """
        key = serviceName, groupName
        known = self.pools.get(key) or self._former.get(key)
        return self._emptyPool(serviceName, groupName) if known is None else known

    def restored(self) -> None:
        """
        Go on after another process.
        """
        self.revision += 1
        for pool in self.allPools():
            pool.restored()
        self._former.clear()
        self._part()
        self.review()

    def _part(self) -> None:
        """
        Forget the pools of removed groups that have neither work nor something to do
        at a time.
        """
        self._parting = [
            pool for pool in self._parting if pool.active or pool.nextDeadline() is not None
        ]

    # What there is

    def getService(self, serviceName: str) -> ProxyService:
        """
        Find a service by its name.
        """
        try:
            return self.services[serviceName]
        except KeyError:
            raise UnknownName("service", serviceName, self.services) from None

    def getPool(self, serviceName: str, groupName: str | None) -> HostPool:
        """
        Find the pool of a group.
        """
        if groupName is None:
            groupName = self.servingGroup(serviceName).name
        else:
            groupName = self.getService(serviceName).getGroup(groupName).name
        return self.pools[serviceName, groupName]

    def servingGroup(self, serviceName: str) -> ProxyGroup:
        """
        Find the group that serves the clients of a service.
        """
        service = self.getService(serviceName)
        standIn = self._failover.standIns.get(serviceName)
        return service.enabledGroup if standIn is None else service.getGroup(standIn)

    def getCounters(self, serviceName: str) -> ServiceCounters:
        """
        Find the counters of a service.
        """
        return self._counters[self.getService(serviceName).name]

    def getAdmission(self, serviceName: str) -> Admission:
        """
        Find the admission of a service.
        """
        return self._admissions[self.getService(serviceName).name]

    def snapshot(self, service: ProxyService, hosts: bool = True) -> ServiceSnapshot:
        """
        Return a service as it is now.

        @param hosts: whether to include the hosts of its groups.
        """
        counters = self._counters[service.name]
        return ServiceSnapshot(
            name=service.name,
            addresses=tuple(map(str, service.addresses)),
            active=counters.active,
            accepted=counters.accepted,
            refused={kind.value: count for kind, count in counters.refused.items()},
            groups=tuple(
                self.pools[service.name, group.name].snapshot(group.enabled, hosts)
                for group in service.groups
            ),
            serving=self.servingGroup(service.name).name,
            notAccepting=counters.notAccepting,
        )

    # Failover between groups

    def review(self, serviceName: str | None = None) -> None:
        """
        See whether the connections of a service go to another group now.

        @param serviceName: by default all services.
        """
        if serviceName is None:
            services = list(self._guarded.values())
        else:
            services = [each for each in (self._guarded.get(serviceName),) if each is not None]
        if not services:
            return
        for service in services:
            asked = self._counters[service.name].accepted > 0
            self._failover.review(service, asked, self.seconds())
        when = self._failover.nextDeadline()
        if when is not None:
            self._wakeBy(when)

    def _upCount(self, serviceName: str, groupName: str) -> int:
        return self.pools[serviceName, groupName].upCount

    def keptFailover(self, serviceName: str) -> dict[str, object]:
        """
        Return which group stands in, as plain values.
        """
        return self._failover.kept(serviceName)

    def restoringFailover(self, service: ProxyService, facts: Facts) -> Callable[[], None]:
        """
        Read what L{keptFailover} has returned.

        @return: takes it over.
        """
        return self._failover.restoring(service, facts, self.seconds())

    def _switched(self, kind: EventKind, key: Sequence[str], message: str) -> None:
        self.revision += 1
        self.tell(kind, key, message)

    # Events

    def tell(
        self, kind: EventKind, key: Sequence[str], message: str, details: Details | None = None
    ) -> None:
        """
        Publish an event.
        """
        self.publish(Event(kind, tuple(key), message, self.seconds(), details or {}))

    def publish(self, event: Event) -> None:
        """
        Publish an event that a pool made.
        """
        if self._publish(event) and event.kind in FLIPS:
            self.review(event.key[0])

    # Time

    def nextDeadline(self) -> float | None:
        """
        Tell when L{advance} is due.
        """
        deadlines = [pool.nextDeadline() for pool in (*self.pools.values(), *self._parting)]
        deadlines.append(self._failover.nextDeadline())
        return min((each for each in deadlines if each is not None), default=None)

    def nextDeadlineOf(self, key: Sequence[str]) -> float | None:
        """
        Tell when L{advance} is due in one pool.

        @param key: begins with the names of service and group. If it has the one of the
            service only, nothing of a pool is due.
        """
        pool = None if len(key) < 2 else self.pools.get((key[0], key[1]))
        return None if pool is None else pool.nextDeadline()

    def advance(self, now: float) -> None:
        """
        Let every pool do what is due.
        """
        for pool in (*self.pools.values(), *self._parting):
            pool.advance(now)
        self._part()
        for serviceName in self._failover.due(now):
            self.review(serviceName)

    def _cut(self, host: Host, outcome: Outcome) -> None:
        if self.onCut is not None:
            self.onCut(host, outcome)

    def _wakeBy(self, when: float) -> None:
        if self.onDeadline is not None:
            self.onDeadline(when)
