"""
The one place where the configuration of a balancer is changed.

Every change is checked in full before anything is done, so that it happens as a
whole or not at all, and observers are told of it afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from random import Random as RandomSource
from types import MappingProxyType

from txlb import schedulers
from txlb.errors import AddressError, DuplicateName, ModelError, UnknownName
from txlb.model import (
    Address,
    HostMapper,
    ProxyGroup,
    ProxyHost,
    ProxyService,
    checkWeight,
    convertMapperToModel,
    parseHostAddress,
)
from txlb.pool import (
    Event,
    EventKind,
    HostPool,
    ServiceCounters,
    ServiceSnapshot,
)

__all__ = ["ProxyManager", "proxyManagerFactory"]

Observer = Callable[[Event], None]


def proxyManagerFactory(
    services: Iterable[HostMapper | ProxyService],
    *,
    seconds: Callable[[], float] = time.monotonic,
    random: RandomSource | None = None,
) -> ProxyManager:
    """
    Make a manager.

    @param services: L{HostMapper}s or L{ProxyService}s, not both.
    @param seconds: a monotonic clock.
    @param random: the source of chance for the schedulers.
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
    return ProxyManager(models, seconds=seconds, random=random)


class ProxyManager:
    """
    The services of one balancer: what is configured, and a pool for each group.

    Changes return the events that they caused. It is called from one thread.

    @ivar onError: is called with the exception that an observer raised.
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
        self._counters: dict[str, ServiceCounters] = {}
        self._observers: dict[object, Observer] = {}
        self._batch: list[Event] | None = None
        self.onError: Callable[[Exception], object] | None = None
        for service in services:
            self._addService(service)
        if not self._services:
            raise ModelError("there is no service; a balancer needs at least one")

    def _addService(self, service: ProxyService) -> None:
        if service.name in self._services:
            raise DuplicateName(f"there are two services {service.name!r}; each needs its own name")
        self._services[service.name] = service
        self._counters[service.name] = ServiceCounters()
        for group in service.groups:
            self._pools[service.name, group.name] = HostPool(
                group.scheduler,
                group.hosts,
                service=service.name,
                group=group.name,
                passiveFall=group.passiveFall,
                whenAllDown=group.whenAllDown,
                seconds=self.seconds,
                random=self._random,
                publish=self._publish,
            )

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

        @param groupName: by default the enabled group.
        @raise UnknownName: there is no such service or group.
        """
        service = self.getService(serviceName)
        group = service.enabledGroup if groupName is None else service.getGroup(groupName)
        return self._pools[serviceName, group.name]

    def getCounters(self, serviceName: str) -> ServiceCounters:
        """
        What is counted of a service as a whole.

        @raise UnknownName: there is no such service.
        """
        return self._counters[self.getService(serviceName).name]

    def snapshot(self) -> list[ServiceSnapshot]:
        """
        How everything stands now.
        """
        return [self._snapshot(service) for service in self._services.values()]

    def _snapshot(self, service: ProxyService) -> ServiceSnapshot:
        counters = self._counters[service.name]
        return ServiceSnapshot(
            name=service.name,
            addresses=tuple(map(str, service.addresses)),
            active=counters.active,
            accepted=counters.accepted,
            refused={kind.value: count for kind, count in counters.refused.items()},
            groups=tuple(
                self._pools[service.name, group.name].snapshot(group.enabled)
                for group in service.groups
            ),
        )

    # Changes

    def addHost(
        self, serviceName: str, groupName: str, proxiedName: str, ip: str, weight: int = 1
    ) -> tuple[Event, ...]:
        """
        Add a host to a group.

        @param ip: its address, C{host:port} or C{unix:/path}.
        @raise ModelError: a name, the address or the weight breaks a rule, or
            the name is taken.
        @raise UnknownName: there is no such service or group.
        """
        group = self.getGroup(serviceName, groupName)
        host = ProxyHost.at(proxiedName, ip, weight)
        service = self._withGroup(serviceName, replace(group, hosts=(*group.hosts, host)))
        return self._commit(service, lambda: self.getPool(serviceName, groupName).addHost(host))

    def delHost(
        self, serviceName: str, groupName: str, proxiedName: str, ip: str | None = None
    ) -> tuple[Event, ...]:
        """
        Remove a host from a group. It gets nothing new; the connections that it
        has go on.

        @param ip: where given, it must be that host's address, so that nobody
            removes a host that is not the one they mean.
        @raise AddressError: C{ip} is not that host's address.
        @raise UnknownName: there is no such service, group or host.
        """
        group = self.getGroup(serviceName, groupName)
        host = group.getHost(proxiedName)
        if ip is not None and parseHostAddress(ip) != host.address:
            raise AddressError(
                f"host {proxiedName!r} of {serviceName}/{groupName} is at {host.address}, "
                f"not at {ip}; nothing was removed"
            )
        hosts = tuple(each for each in group.hosts if each is not host)
        service = self._withGroup(serviceName, replace(group, hosts=hosts))
        return self._commit(
            service, lambda: self.getPool(serviceName, groupName).removeHost(proxiedName)
        )

    def setWeight(
        self, serviceName: str, groupName: str, proxiedName: str, weight: int
    ) -> tuple[Event, ...]:
        """
        Give a host another weight.

        @param weight: 0 to 65535; with 0 it gets nothing new.
        @raise ModelError: the weight breaks the rule.
        @raise UnknownName: there is no such service, group or host.
        """
        group = self.getGroup(serviceName, groupName)
        host = group.getHost(proxiedName)
        checkWeight(weight, f"host {proxiedName!r}")
        hosts = tuple(replace(h, weight=weight) if h is host else h for h in group.hosts)
        service = self._withGroup(serviceName, replace(group, hosts=hosts))
        return self._commit(
            service, lambda: self.getPool(serviceName, groupName).setWeight(proxiedName, weight)
        )

    def setScheduler(self, serviceName: str, groupName: str, lbType: str) -> tuple[Event, ...]:
        """
        Let a group choose by another policy. Counts and connections stay.

        @param lbType: the policy's word.
        @raise UnknownName: there is no such service, group or policy.
        """
        group = self.getGroup(serviceName, groupName)
        word = schedulers.canonicalWord(lbType)
        service = self._withGroup(serviceName, replace(group, scheduler=word))

        def change() -> None:
            self.getPool(serviceName, groupName).setScheduler(word)
            self._tell(
                EventKind.SCHEDULER_CHANGED,
                (serviceName, groupName),
                f"scheduler {group.scheduler} -> {word}",
            )

        return self._commit(service, change)

    def switchGroup(
        self, serviceName: str, oldGroupName: str, newGroupName: str
    ) -> tuple[Event, ...]:
        """
        Send new connections to another group. Those that are open go on.

        @param oldGroupName: the group that is enabled now.
        @raise ModelError: C{oldGroupName} is not the one that is enabled.
        @raise UnknownName: there is no such service or group.
        """
        service = self.getService(serviceName)
        old, new = service.getGroup(oldGroupName), service.getGroup(newGroupName)
        if not old.enabled:
            raise ModelError(
                f"group {oldGroupName!r} of service {serviceName!r} is not the enabled one; "
                f"that is {service.enabledGroup.name!r}"
            )
        if new is old:
            return ()
        groups = tuple(replace(group, enabled=group is new) for group in service.groups)
        return self._commit(
            replace(service, groups=groups),
            lambda: self._tell(
                EventKind.GROUP_SWITCHED,
                (serviceName, newGroupName),
                f"gets the connections of {serviceName} instead of {oldGroupName}",
            ),
        )

    def listenerMoved(self, serviceName: str, index: int, address: Address) -> tuple[Event, ...]:
        """
        A service listens elsewhere now. L{LoadBalancedService.switchPort} calls
        this once it does; it opens no port itself.

        @param index: which of the service's addresses it was, from 0.
        @raise UnknownName: there is no such service.
        """
        service = self.getService(serviceName)
        before = service.addresses[index]
        addresses = list(service.addresses)
        addresses[index] = address
        return self._commit(
            replace(service, addresses=tuple(addresses)),
            lambda: self._tell(
                EventKind.LISTENER_MOVED, (serviceName,), f"listens on {address}, not on {before}"
            ),
        )

    def _withGroup(self, serviceName: str, group: ProxyGroup) -> ProxyService:
        """
        @return: the service with another group of that name, checked.
        """
        service = self._services[serviceName]
        groups = tuple(group if each.name == group.name else each for each in service.groups)
        return replace(service, groups=groups)

    # Time

    def nextDeadline(self) -> float | None:
        """
        When L{advance} has something to do next, in seconds of the clock;
        L{None} for not before something else happens.
        """
        deadlines = [pool.nextDeadline() for pool in self._pools.values()]
        return min((each for each in deadlines if each is not None), default=None)

    def advance(self, now: float) -> None:
        """
        Do what is due by C{now} in every pool.
        """
        for pool in self._pools.values():
            pool.advance(now)

    # Observers

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
        for event in batch:
            self._notify(event)
        return tuple(batch)

    def _tell(self, kind: EventKind, key: Sequence[str], message: str) -> None:
        self._publish(Event(kind, tuple(key), message, self.seconds()))

    def _publish(self, event: Event) -> None:
        if self._batch is not None:
            self._batch.append(event)
        else:
            self._notify(event)

    def _notify(self, event: Event) -> None:
        for observer in tuple(self._observers.values()):
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - whatever it is, it can't undo the event
                if self.onError is not None:
                    self.onError(error)
