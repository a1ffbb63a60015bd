"""
What a manager keeps, and how a change of it is made.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from random import Random as RandomSource
from types import MappingProxyType

from txlb.errors import DuplicateName, ModelError, UnknownName
from txlb.manager._audit import actingBy, actor
from txlb.manager._failover import Failover
from txlb.model import HealthCheck, ProxyGroup, ProxyHost, ProxyService
from txlb.pool import (
    Admission,
    Details,
    Event,
    EventKind,
    Host,
    HostPool,
    Outcome,
    ServiceCounters,
    ServiceSnapshot,
)

Observer = Callable[[Event], None]

#: How many events are kept.
HISTORY = 100

#: After these another group may have to stand in.
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


class Books:
    """
    What is configured, a pool for each group, and who is told of changes. It
    is called from one thread. L{txlb.manager.ProxyManager} adds the changes.

    @ivar onError: is called with the exception that an observer raised.
    @ivar defaultCheck: how hosts are checked that have no check of their own
        and none of their group's; L{None} for not at all. See C{setDefaultCheck}.
    @ivar onDeadline: is called with a time by which L{ProxyManager.advance} has
        to be called, where that is earlier than anybody could know.
    @ivar onCut: is called with a host and an outcome to reset the connections
        that it has.
    @ivar revision: another number whenever L{getService} or L{getPool} may have
        another answer than before, so that who asks them for each connection can
        keep the answers.
    """

    def __init__(
        self,
        services: Iterable[ProxyService],
        *,
        seconds: Callable[[], float] = time.monotonic,
        random: RandomSource | None = None,
    ) -> None:
        self.seconds = seconds
        self._random = random if random is not None else RandomSource()
        self._services: dict[str, ProxyService] = {}
        self._pools: dict[tuple[str, str], HostPool] = {}
        # Of groups that are no longer there, until their last work has ended.
        self._parting: list[HostPool] = []
        self._counters: dict[str, ServiceCounters] = {}
        self._admissions: dict[str, Admission] = {}
        self._observers: dict[object, Observer] = {}
        self._batch: list[Event] | None = None
        self.defaultCheck: HealthCheck | None = None
        self._history: deque[Event] = deque(maxlen=HISTORY)
        self.revision = 0
        self._failover = Failover(self._upCount, self._switched)
        self.onError: Callable[[Exception], object] | None = None
        self.onDeadline: Callable[[float], object] | None = None
        self.onCut: Callable[[Host, Outcome], object] | None = None
        for service in services:
            self._addService(service)
        if not self._services:
            raise ModelError("there is no service; a balancer needs at least one")
        self._review()
        self._history.clear()

    def _addService(self, service: ProxyService) -> None:
        if service.name in self._services:
            raise DuplicateName(f"there are two services {service.name!r}; each needs its own name")
        self._services[service.name] = service
        self._counters[service.name] = ServiceCounters()
        self._admissions[service.name] = Admission(service)
        for group in service.groups:
            self._pools[service.name, group.name] = self._newPool(service.name, group)

    def _newPool(self, serviceName: str, group: ProxyGroup) -> HostPool:
        """
        What a group makes of its pool at the beginning; L{HostPool.configure} is
        the same for later.
        """
        pool = HostPool(
            group.scheduler,
            group.hosts,
            service=serviceName,
            group=group.name,
            settings=group,
            seconds=self.seconds,
            random=self._random,
            publish=self._publish,
        )
        pool.cut = self._cut
        pool.wakeBy = self._wakeBy
        return pool

    def _cut(self, host: Host, outcome: Outcome) -> None:
        if self.onCut is not None:
            self.onCut(host, outcome)

    def _wakeBy(self, when: float) -> None:
        if self.onDeadline is not None:
            self.onDeadline(when)

    # What there is

    @property
    def services(self) -> Mapping[str, ProxyService]:
        """
        The services as they are configured now, by name. It can't be changed
        from outside.
        """
        return MappingProxyType(self._services)

    def getService(self, serviceName: str) -> ProxyService:
        """
        @raise UnknownName: there is no such service.
        """
        try:
            return self._services[serviceName]
        except KeyError:
            raise UnknownName("service", serviceName, self._services) from None

    def getGroup(self, serviceName: str, groupName: str) -> ProxyGroup:
        """
        @raise UnknownName: there is no such service or group.
        """
        return self.getService(serviceName).getGroup(groupName)

    def getHost(self, serviceName: str, groupName: str, proxiedName: str) -> ProxyHost:
        """
        @raise UnknownName: there is no such service, group or host.
        """
        return self.getGroup(serviceName, groupName).getHost(proxiedName)

    def getPool(self, serviceName: str, groupName: str | None = None) -> HostPool:
        """
        The hosts of a group as they are now.

        @param groupName: by default the one that gets the connections now.
        @raise UnknownName: there is no such service or group.
        """
        if groupName is None:
            groupName = self.servingGroup(serviceName).name
        else:
            groupName = self.getService(serviceName).getGroup(groupName).name
        return self._pools[serviceName, groupName]

    def servingGroup(self, serviceName: str) -> ProxyGroup:
        """
        The group that gets the connections now: the enabled one, or a backup
        that stands in for it.

        @raise UnknownName: there is no such service.
        """
        service = self.getService(serviceName)
        standIn = self._failover.standIns.get(serviceName)
        return service.enabledGroup if standIn is None else service.getGroup(standIn)

    def _switched(self, kind: EventKind, key: Sequence[str], message: str) -> None:
        self.revision += 1
        self._tell(kind, key, message)

    def _upCount(self, serviceName: str, groupName: str) -> int:
        return self._pools[serviceName, groupName].upCount

    def _review(self, serviceName: str | None = None) -> None:
        """
        See whether a service's connections go to another group now.

        @param serviceName: by default all of them.
        """
        names = tuple(self._services) if serviceName is None else (serviceName,)
        for name in names:
            service = self._services.get(name)
            if service is not None:
                asked = self._counters[name].accepted > 0
                self._failover.review(service, asked, self.seconds())
        when = self._failover.nextDeadline()
        if when is not None:
            self._wakeBy(when)

    def _stillParting(self) -> list[HostPool]:
        """
        The pools of groups that were removed and have work, or something to do
        at a time.
        """
        return [pool for pool in self._parting if pool.active or pool.nextDeadline() is not None]

    def getCounters(self, serviceName: str) -> ServiceCounters:
        """
        What is counted of a service as a whole.

        @raise UnknownName: there is no such service.
        """
        return self._counters[self.getService(serviceName).name]

    def serviceSnapshot(self, serviceName: str, hosts: bool = True) -> ServiceSnapshot:
        """
        How one service stands now.

        @param hosts: whether the hosts of its groups are wanted; see
            L{HostPool.hostSnapshots}.
        @raise UnknownName: there is no such service.
        """
        return self._snapshot(self.getService(serviceName), hosts)

    def getAdmission(self, serviceName: str) -> Admission:
        """
        What decides whether a client of a service may come in.

        @raise UnknownName: there is no such service.
        """
        return self._admissions[self.getService(serviceName).name]

    def snapshot(self) -> list[ServiceSnapshot]:
        """
        How everything stands now.
        """
        return [self._snapshot(service) for service in self._services.values()]

    def _snapshot(self, service: ProxyService, hosts: bool = True) -> ServiceSnapshot:
        counters = self._counters[service.name]
        serving = self.servingGroup(service.name).name
        return ServiceSnapshot(
            name=service.name,
            addresses=tuple(map(str, service.addresses)),
            active=counters.active,
            accepted=counters.accepted,
            refused={kind.value: count for kind, count in counters.refused.items()},
            groups=tuple(
                self._pools[service.name, group.name].snapshot(group.enabled, hosts)
                for group in service.groups
            ),
            serving=serving,
        )

    # Observers

    def by(self, who: str) -> AbstractContextManager[None]:
        """
        Say who makes the changes within a C{with} statement: it is in their
        events as C{by}. Such statements may be nested, and the innermost counts.
        A coroutine that is begun within it takes it along; what a callback of a
        L{Deferred} changes later is the balancer's own doing, unless it says
        otherwise.

        @param who: a kind and a name, such as C{ssh:alice}, C{uid:1000} or
            C{signal:SIGHUP}; 1 to 255 printable characters.
        @raise ModelError: on entering, where C{who} is something else.
        """
        return actingBy(who)

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """
        Tell an observer of every event from now on.

        @return: call it to tell it no more.
        """
        subscription = object()
        self._observers[subscription] = observer

        def unsubscribe() -> None:
            self._observers.pop(subscription, None)

        return unsubscribe

    def _commit(self, service: ProxyService, change: Callable[[], object]) -> tuple[Event, ...]:
        """
        Make a change that has been checked, then tell of it.

        @param service: as it is configured from now on.
        @param change: does the same to its pools. A policy from elsewhere may
            raise in it, and then the configuration stays as it was.
        """
        batch: list[Event] = []
        self._batch = batch
        try:
            change()
        finally:
            self._batch = None
        self._services[service.name] = service
        self.revision += 1
        self._admissions[service.name].follow(service)
        for event in batch:
            self._notify(event)
        self._review()
        return tuple(batch)

    def _tell(
        self, kind: EventKind, key: Sequence[str], message: str, details: Details | None = None
    ) -> None:
        self._publish(Event(kind, tuple(key), message, self.seconds(), details or {}))

    def _publish(self, event: Event) -> None:
        who = actor()
        if who:
            event = replace(event, by=who)
        if self._batch is not None:
            self._batch.append(event)
        else:
            self._notify(event)
            if event.kind in FLIPS:
                self._review(event.key[0])

    @property
    def events(self) -> tuple[Event, ...]:
        """
        The last hundred events, the oldest first.
        """
        return tuple(self._history)

    def _notify(self, event: Event) -> None:
        self._history.append(event)
        for observer in tuple(self._observers.values()):
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - whatever it is, it can't undo the event
                if self.onError is not None:
                    self.onError(error)

    def _withGroup(self, serviceName: str, group: ProxyGroup) -> ProxyService:
        """
        @return: the service with another group of that name, checked.
        """
        service = self._services[serviceName]
        groups = tuple(group if each.name == group.name else each for each in service.groups)
        return replace(service, groups=groups)
