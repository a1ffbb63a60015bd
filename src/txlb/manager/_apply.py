"""
From the configuration that there is to the one that is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from txlb.errors import DuplicateName, ModelError
from txlb.manager._hosts import HostChanges
from txlb.model import (
    Change,
    ChangeKind,
    HostMapper,
    Plan,
    ProxyService,
    changesBetween,
    convertMapperToModel,
    plain,
)
from txlb.pool import Admission, Event, EventKind, HostPool, ServiceCounters, changed
from txlb.pool import Checkpoint as PoolCheckpoint

#: The kinds of event of what a pool does not tell itself.
_KINDS = {
    (ChangeKind.ADDED, "service"): EventKind.SERVICE_ADDED,
    (ChangeKind.REMOVED, "service"): EventKind.SERVICE_REMOVED,
    (ChangeKind.SWITCHED, "service"): EventKind.GROUP_SWITCHED,
    (ChangeKind.ADDED, "listener"): EventKind.LISTENER_ADDED,
    (ChangeKind.REMOVED, "listener"): EventKind.LISTENER_REMOVED,
    (ChangeKind.MOVED, "listener"): EventKind.LISTENER_MOVED,
    (ChangeKind.ADDED, "group"): EventKind.GROUP_ADDED,
    (ChangeKind.REMOVED, "group"): EventKind.GROUP_REMOVED,
    (ChangeKind.MOVED, "host"): EventKind.HOST_MOVED,
}


class Transitions(HostChanges):
    """
    A manager's way to a whole configuration.
    """

    def plan(self, services: Iterable[HostMapper | ProxyService]) -> Plan:
        """
        What L{apply} would change.

        @raise ModelError: something of it breaks a rule.
        """
        return changesBetween(self._services.values(), wantedServices(services))

    def apply(self, services: Iterable[HostMapper | ProxyService]) -> tuple[Event, ...]:
        """
        Make these the services, by the smallest set of changes. What stays, by
        its name, keeps its connections, counters and marks. Hosts that go, or
        whose group or service does, get nothing new, and their connections go
        on. A host that has moved is the same host at another address.

        It opens no port; see L{txlb.application.service.LoadBalancedService.apply}.

        @return: the events that it caused; none where nothing differs.
        @raise ModelError: something of it breaks a rule. Nothing was changed
            then, nor where a policy from elsewhere raises.
        """
        wanted = wantedServices(services)
        plan = changesBetween(self._services.values(), wanted)
        if not plan:
            return ()
        batch: list[Event] = []
        self._batch = batch
        passage = _Passage()
        try:
            for change in plan.changes:
                self._tellOf(change)
            pools = self._passPools(wanted, passage)
        except BaseException:
            passage.goBack()
            raise
        finally:
            self._batch = None
        left = [pool for key, pool in self._pools.items() if key not in pools]
        self._parting = [*self._stillParting(), *left]
        self._pools = pools
        self._counters = {
            service.name: self._counters.get(service.name) or ServiceCounters()
            for service in wanted
        }
        self._admissions = {service.name: self._admissionOf(service) for service in wanted}
        self._services = {service.name: service for service in wanted}
        self.revision += 1
        for event in batch:
            self._notify(event)
        self._failover.forget(tuple(self._services))
        for action in (*passage.arrivals(), self._review):
            try:
                action()
            except Exception as error:  # noqa: BLE001 - it is changed, and can't be called off
                if self.onError is not None:
                    self.onError(error)
        return tuple(batch)

    def _passPools(
        self, wanted: Iterable[ProxyService], passage: _Passage
    ) -> dict[tuple[str, str], HostPool]:
        """
        Make all pools to be what is wanted.

        @return: those that are wanted.
        """
        names = {(service.name, group.name) for service in wanted for group in service.groups}
        for key, pool in self._pools.items():
            if key not in names:
                passage.enter(pool)
                for host in pool.hosts:
                    pool.removeHost(host.name)
        pools = {}
        for service in wanted:
            for group in service.groups:
                key = service.name, group.name
                if key not in self._pools:
                    pools[key] = self._newPool(service.name, group)
                    continue
                pools[key] = pool = self._pools[key]
                if group != self._services[service.name].getGroup(group.name):
                    passage.enter(pool)
                    pool.configure(group)
        return pools

    def _admissionOf(self, service: ProxyService) -> Admission:
        """
        What decides who may come in, in line with what is configured.
        """
        admission = self._admissions.get(service.name)
        if admission is None:
            return Admission(service)
        admission.follow(service)
        return admission

    def _tellOf(self, change: Change) -> None:
        """
        Tell of a change, unless a pool does.
        """
        kind = _KINDS.get((change.kind, change.thing))
        if kind is None:
            if change.kind is ChangeKind.REORDERED:
                kind = EventKind.ORDER_CHANGED
            elif change.kind is not ChangeKind.CHANGED or change.setting in {"weight", "state"}:
                return
            elif change.setting == "scheduler":
                kind = EventKind.SCHEDULER_CHANGED
            else:
                kind = EventKind.SETTING_CHANGED
        details = dict(changed(plain(change.before), plain(change.after)))
        if change.setting:
            details["setting"] = change.setting
        self._tell(kind, change.key, change.message, details)


class _Passage:
    """
    The way that has been gone, to go it back.
    """

    def __init__(self) -> None:
        self._behind: list[PoolCheckpoint] = []
        self._pools: list[HostPool] = []

    def enter(self, pool: HostPool) -> None:
        """
        This pool is changed next.
        """
        self._behind.append(pool.checkpoint())
        self._pools.append(pool)

    def arrivals(self) -> list[Callable[[], object]]:
        """
        There is no going back from here: what is to be called for each pool.
        """
        return [pool.arrived for pool in self._pools]

    def goBack(self) -> None:
        """
        Something was raised in the pool that was entered last.
        """
        for number, checkpoint in enumerate(reversed(self._behind)):
            checkpoint.restore(anew=number == 0)


def wantedServices(services: Iterable[HostMapper | ProxyService]) -> tuple[ProxyService, ...]:
    """
    What a program has written down, checked.

    @param services: L{HostMapper}s or L{ProxyService}s, not both.
    @raise ModelError: something of it breaks a rule.
    """
    given = list(services)
    mappers = [each for each in given if isinstance(each, HostMapper)]
    models = [each for each in given if isinstance(each, ProxyService)]
    if len(mappers) == len(given):
        models = convertMapperToModel(mappers)
    elif len(models) != len(given):
        raise ModelError(
            "a manager is made of HostMappers or of ProxyServices; this list has "
            + " and ".join(sorted({type(each).__name__ for each in given}))
        )
    if not models:
        raise ModelError("there is no service; a balancer needs at least one")
    names: set[str] = set()
    for service in models:
        if service.name in names:
            raise DuplicateName(f"there are two services {service.name!r}; each needs its own name")
        names.add(service.name)
    return tuple(models)
