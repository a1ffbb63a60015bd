"""
The manager: what a program and an administrator change a balancer by.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields, replace
from random import Random as RandomSource
from types import MappingProxyType
from typing import Any

from txlb.errors import AddressError, DuplicateName, ModelError, UnknownName
from txlb.interfaces import IKeptState
from txlb.manager._applying import Applying
from txlb.manager._keptevents import KeptEvents
from txlb.manager._keptpools import KeptPools
from txlb.manager._keptservices import KeptServices
from txlb.manager._observers import Observer, Observers, actingBy, actor
from txlb.manager._reconcile import Gate, OnChange, Reconciler
from txlb.manager._running import Endings, Running
from txlb.manager._wanted import wantedServices
from txlb.model import (
    ADMISSION_SETTINGS,
    CLONES,
    SCHEDULER_SETTINGS,
    Discovery,
    HealthCheck,
    HostMapper,
    ListenAddress,
    Plan,
    ProxyGroup,
    ProxyHost,
    ProxyService,
    checkClock,
    discoveryFrom,
    parseHostAddress,
    plain,
    shown,
)
from txlb.model.kinds import DAY, Boolean, Seconds
from txlb.model.settings import withSetting
from txlb.pool import (
    Admission,
    Details,
    Ending,
    Event,
    EventKind,
    Host,
    HostPool,
    Lease,
    Outcome,
    ServiceCounters,
    ServiceSnapshot,
    changed,
)

#: The parts of a group and of a host that have methods of their own.
_GROUP_OWN = frozenset({"name", "scheduler", "enabled", "hosts"})
_HOST_OWN = frozenset({"name", "ipOrHost", "port", "weight", "state"})

#: What a new host is given beside its settings.
_HOST_PLACE = frozenset({"name", "ipOrHost", "port", "weight"})


class ProxyManager:
    """
    The services of one balancer: what is configured, and a pool for each group. It
    is called from one thread.

    A verb makes the values that are wanted, which check themselves, and hands them
    to one reconciler, which makes them run. So a change happens as a whole or not
    at all. Each verb returns the events that it caused.

    @param services: the services to begin with.
    @param seconds: a monotonic clock.
    @param random: the source of chance for the schedulers.
    @raise ModelError: something of it breaks a rule.

    @ivar defaultCheck: how hosts are checked that have no check of their own
        and none of their group's; L{None} for not at all. See L{setDefaultCheck}.
    """

    def __init__(
        self,
        services: Iterable[HostMapper | ProxyService],
        *,
        seconds: Callable[[], float] = time.monotonic,
        random: RandomSource | None = None,
    ) -> None:
        self.seconds = seconds
        self.defaultCheck: HealthCheck | None = None
        self._observers = Observers()
        chance = random if random is not None else RandomSource()
        self._running = Running(self._observers.publish, seconds, chance)
        self._reconciler = Reconciler(self._running, self._observers)
        self._reconciler.reconcile(wantedServices(services))
        self._observers.forget()
        self._keepers: tuple[IKeptState, ...] = (
            KeptEvents(self._observers),
            KeptServices(self._running),
            KeptPools(self._running, lambda: self.defaultCheck),
        )

    # What there is

    @property
    def services(self) -> Mapping[str, ProxyService]:
        """
        The services as they are configured now, by name. It can't be changed
        from outside.
        """
        return MappingProxyType(self._running.services)

    @property
    def revision(self) -> int:
        """
        A number that changes whenever L{getService} or L{getPool} may return
        something else, so that a caller can keep what they returned.
        """
        return self._running.revision

    def getService(self, serviceName: str) -> ProxyService:
        """
        Return a service as it is configured.

        @raise UnknownName: there is no such service.
        """
        return self._running.getService(serviceName)

    def getGroup(self, serviceName: str, groupName: str) -> ProxyGroup:
        """
        Return a group as it is configured.

        @raise UnknownName: there is no such service or group.
        """
        return self.getService(serviceName).getGroup(groupName)

    def getHost(self, serviceName: str, groupName: str, proxiedName: str) -> ProxyHost:
        """
        Return a host as it is configured.

        @raise UnknownName: there is no such service, group or host.
        """
        return self.getGroup(serviceName, groupName).getHost(proxiedName)

    def getPool(self, serviceName: str, groupName: str | None = None) -> HostPool:
        """
        Return the hosts of a group as they are now.

        @param groupName: by default the one that gets the connections now.
        @raise UnknownName: there is no such service or group.
        """
        return self._running.getPool(serviceName, groupName)

    def servingGroup(self, serviceName: str) -> ProxyGroup:
        """
        Return the group that gets the connections now: the enabled one, or a
        backup that stands in for it.

        @raise UnknownName: there is no such service.
        """
        return self._running.servingGroup(serviceName)

    def getCounters(self, serviceName: str) -> ServiceCounters:
        """
        Return what is counted of a service as a whole.

        @raise UnknownName: there is no such service.
        """
        return self._running.getCounters(serviceName)

    def getAdmission(self, serviceName: str) -> Admission:
        """
        Return what decides whether a client of a service may come in.

        @raise UnknownName: there is no such service.
        """
        return self._running.getAdmission(serviceName)

    def serviceSnapshot(self, serviceName: str, hosts: bool = True) -> ServiceSnapshot:
        """
        Return a service as it is now.

        @param hosts: whether to include the hosts of its groups; see
            L{HostPool.hostSnapshots}.
        @raise UnknownName: there is no such service.
        """
        return self._running.snapshot(self.getService(serviceName), hosts)

    def snapshot(self) -> list[ServiceSnapshot]:
        """
        Return all services as they are now.
        """
        return [self._running.snapshot(service) for service in self._running.services.values()]

    # Observers

    def by(self, who: str) -> AbstractContextManager[None]:
        """
        Name the actor of the changes within a C{with} statement: it is in their
        events as C{by}. Such statements may be nested, and the innermost counts.
        A coroutine that is begun within it takes it along; what a callback of a
        L{Deferred} changes later is the balancer's own doing, unless it says
        otherwise.

        @param who: a kind and a name, such as C{ssh:alice}, C{uid:1000} or
            C{signal:SIGHUP}; 1 to 255 printable characters.
        @raise ModelError: on entering, if C{who} is something else.
        """
        return actingBy(who)

    @property
    def actor(self) -> str:
        """
        The actor of changes that are made now, as L{by} has named it; empty for the balancer
        itself.
        """
        return actor()

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """
        Pass every event on to an observer from now on, after it happened.

        @return: a callable that ends it.
        @raise ModelError: C{observer} can't be called.
        """
        if not callable(observer):
            raise ModelError(f"{shown(observer)} is no observer; it is a function of an Event")
        return self._observers.subscribe(observer)

    def tell(
        self,
        kind: EventKind,
        key: Sequence[str],
        message: str,
        details: Details | None = None,
    ) -> None:
        """
        Publish an event that a part of the balancer has found, such as a source of hosts.

        @param key: the names of the service, and of the group and host if it concerns one.
        @param message: the change in words.
        @param details: plain values.
        """
        self._running.tell(kind, key, message, details)

    @property
    def events(self) -> tuple[Event, ...]:
        """
        The last hundred events, the oldest first.
        """
        return self._observers.history

    @property
    def onError(self) -> Callable[[Exception], object] | None:
        """
        What is called with the exception that an observer raised; L{None} to drop it.
        """
        return self._observers.onError

    @onError.setter
    def onError(self, onError: Callable[[Exception], object] | None) -> None:
        self._observers.onError = onError

    # The whole configuration

    def plan(self, services: Iterable[HostMapper | ProxyService]) -> Plan:
        """
        Return what L{apply} would change.

        @raise ModelError: something of it breaks a rule.
        """
        return self._reconciler.plan(wantedServices(services))

    def apply(
        self, services: Iterable[HostMapper | ProxyService], endings: Endings | None = None
    ) -> tuple[Event, ...]:
        """
        Make these the services, by the smallest set of changes. What stays, by
        its name, keeps its connections, counters and health. Hosts that go, or
        whose group or service does, get nothing new, and their connections go
        on. A host that has moved is the same host at another address.

        It opens no port; see L{txlb.application.service.LoadBalancedService.apply}.

        All of it is done before it returns: about 0.1 ms for each host that is added,
        changed or removed, and 10 ms for 5,000 hosts that stay as they are. L{applying}
        does the same in slices.

        @param endings: what happens to connections of hosts that are drained or removed, by the
            names of the service and the group, and by those of hosts.
        @return: the events that it caused; none if nothing differs.
        @raise ChangeUnderWay: a change in slices is under way. Nothing was changed then.
        @raise ModelError: something of it breaks a rule. Nothing was changed then.
        """
        return self._reconciler.reconcile(wantedServices(services), endings)

    def applying(self, services: Iterable[HostMapper | ProxyService]) -> Applying:
        """
        Begin to do what L{apply} does, in slices: each call of C{goOn} of what is
        returned does one, of some milliseconds, and C{finish} does the last one. Until
        then every verb that changes services is refused with
        L{txlb.errors.ChangeUnderWay}.

        Nothing is changed before the first slice, and everything that can be wrong with
        the services is found before that.

        @raise ChangeUnderWay: another change in slices is under way.
        @raise ModelError: something of the services breaks a rule.
        """
        return self._reconciler.applying(wantedServices(services))

    def refuseIfUnderWay(self) -> None:
        """
        Refuse a change now, if the verb that makes it would be refused after other things
        were done.

        @raise ChangeUnderWay: a change in slices is under way.
        """
        self._reconciler.refuseIfUnderWay()

    # Upgrades

    def hold(self, reason: str) -> Callable[[], None]:
        """
        Refuse every change of services with L{txlb.errors.ChangeUnderWay} from now on, because
        another process is about to take over.

        @param reason: why, as the beginning of a sentence, such as C{an upgrade is under way}.
        @return: ends that.
        """
        return self._reconciler.hold(reason)

    @property
    def keepers(self) -> tuple[IKeptState, ...]:
        """
        What hands the state of the pools, the services and the last events to another process, in
        the order in which they take it over.
        """
        return self._keepers

    def readopt(
        self, serviceName: str, groupName: str, proxiedName: str, address: str, **facts: Any
    ) -> Lease:
        """
        Claim a host for a connection that moves here from another process; see
        L{HostPool.readopt}. If its group is not configured any more, its host is leaving.

        @param facts: what L{HostPool.readopt} takes by name.
        @raise StateError: something of it can't be right.
        """
        return self.claimedPool(serviceName, groupName).readopt(proxiedName, address, **facts)

    def claimedPool(self, serviceName: str, groupName: str) -> HostPool:
        """
        Return the pool for a search that moves here from another process; see
        L{HostPool.redial}. If its group is not configured any more, it is a pool without hosts.
        """
        pool = self._running.poolFor(serviceName, groupName)
        self._running.keep(pool)
        return pool

    def restored(self) -> None:
        """
        Go on after another process: its state was taken over by the L{keepers}, and the
        connections that moved have claimed their hosts. The events of what is different by now are
        published.
        """
        self._running.restored()

    # Hosts

    def addHost(
        self,
        serviceName: str,
        groupName: str,
        proxiedName: str,
        ip: str,
        weight: int = 1,
        **settings: Any,
    ) -> tuple[Event, ...]:
        """
        Add a host to a group.

        @param ip: its address, C{host:port} or C{unix:/path}.
        @param settings: others of a L{ProxyHost}, such as C{maxConnections}.
        @raise DuplicateName: the group has a host of that name.
        @raise ModelError: a name, the address or the weight breaks a rule.
        @raise UnknownName: there is no such service, group or setting.
        """
        group = self.getGroup(serviceName, groupName)
        _checkNames(ProxyHost, _HOST_PLACE, settings, "host")
        host = ProxyHost.at(proxiedName, ip, weight, **settings)
        there = next((each for each in group.hosts if each.name == host.name), None)
        if there is not None:
            raise DuplicateName(
                f"group {groupName!r} of service {serviceName!r} has a host {host.name!r} already, "
                f"at {there.address}; choose another name, or remove that host first"
            )
        return self._withGroup(serviceName, replace(group, hosts=(*group.hosts, host)))

    def delHost(
        self,
        serviceName: str,
        groupName: str,
        proxiedName: str,
        ip: str | None = None,
        *,
        deadline: float | None = None,
        force: bool = False,
    ) -> tuple[Event, ...]:
        """
        Remove a host from a group. It gets nothing new; the connections that it
        has go on, unless C{deadline} or C{force} says otherwise, or the deadline of
        an earlier L{drain}.

        @param ip: if given, it must be that host's address, so that no other host
            is removed by mistake.
        @param deadline: seconds after which the connections that are left are
            reset, 0 to a day; L{None} for never.
        @param force: reset them at once.
        @raise AddressError: C{ip} is not that host's address.
        @raise ModelError: the deadline breaks the rule.
        @raise UnknownName: there is no such service, group or host.
        """
        group = self.getGroup(serviceName, groupName)
        host = group.getHost(proxiedName)
        if ip is not None and parseHostAddress(ip) != host.address:
            raise AddressError(
                f"host {proxiedName!r} of {serviceName}/{groupName} is at {host.address}, "
                f"not at {ip}; nothing was removed"
            )
        Boolean().check(force, f"force of host {proxiedName!r}")
        ending = Ending(_checkDeadline(deadline, proxiedName), force)
        hosts = tuple(each for each in group.hosts if each is not host)
        return self._withGroup(
            serviceName,
            replace(group, hosts=hosts),
            {(serviceName, groupName): {proxiedName: ending}},
        )

    def setWeight(
        self, serviceName: str, groupName: str, proxiedName: str, weight: int
    ) -> tuple[Event, ...]:
        """
        Set the weight of a host.

        @param weight: 0 to 65535; with 0 it gets nothing new.
        @raise ModelError: the weight breaks the rule.
        @raise UnknownName: there is no such service, group or host.
        """
        return self._withHostSetting(serviceName, groupName, proxiedName, "weight", weight)

    def drain(
        self,
        serviceName: str,
        groupName: str,
        proxiedName: str,
        deadline: float | None = None,
    ) -> tuple[Event, ...]:
        """
        Let a host get nothing new. The connections that it has go on; an event
        C{host-drained} tells that there are none left.

        @param deadline: seconds after which those that are left are reset, 0 to
            a day; L{None} for never. It stands until it is met, or until L{ready}.
        @raise ModelError: the deadline breaks the rule.
        @raise UnknownName: there is no such service, group or host.
        """
        return self._withState(serviceName, groupName, proxiedName, "drain", deadline)

    def maintenance(
        self,
        serviceName: str,
        groupName: str,
        proxiedName: str,
        deadline: float | None = None,
    ) -> tuple[Event, ...]:
        """
        Drain a host, and check it no more.

        @param deadline: see L{drain}.
        @raise ModelError: the deadline breaks the rule.
        @raise UnknownName: there is no such service, group or host.
        """
        return self._withState(serviceName, groupName, proxiedName, "maintenance", deadline)

    def ready(self, serviceName: str, groupName: str, proxiedName: str) -> tuple[Event, ...]:
        """
        Bring a host back that was drained or in maintenance.

        @raise UnknownName: there is no such service, group or host.
        """
        return self._withState(serviceName, groupName, proxiedName, "ready", None)

    def setHost(
        self, serviceName: str, groupName: str, proxiedName: str, **settings: Any
    ) -> tuple[Event, ...]:
        """
        Change settings of a host, such as C{maxConnections} or C{backup}. Its
        weight and state have methods of their own.

        @raise ModelError: a setting breaks a rule.
        @raise UnknownName: there is no such service, group, host or setting.
        """
        host = self.getHost(serviceName, groupName, proxiedName)
        _checkNames(ProxyHost, _HOST_OWN, settings, "host")
        if "origin" in settings:
            raise ModelError("the origin of a host is given when the host is added, and stays")
        return self._withHost(serviceName, groupName, replace(host, **settings))

    # Groups and services

    def setGroup(self, serviceName: str, groupName: str, **settings: Any) -> tuple[Event, ...]:
        """
        Change settings of a group, such as C{maxQueue} or C{whenAllDown}. Its
        scheduler, its hosts and whether it is enabled have methods of their own.

        @raise ModelError: a setting breaks a rule.
        @raise UnknownName: there is no such service, group or setting.
        """
        group = self.getGroup(serviceName, groupName)
        _checkNames(ProxyGroup, _GROUP_OWN, settings, "group")
        return self._withGroup(serviceName, replace(group, **settings))

    def setScheduler(
        self, serviceName: str, groupName: str, lbType: str, **settings: Any
    ) -> tuple[Event, ...]:
        """
        Let a group choose by another policy. Counts and connections stay.

        @param lbType: the policy's word.
        @param settings: settings of the group that are about its policy, such
            as C{boundedLoad}; see L{txlb.model.ProxyGroup}. Those that are not
            given stay as they are.
        @raise ModelError: a setting breaks a rule, or the policy doesn't take so
            many hosts.
        @raise UnknownName: there is no such service, group, policy or setting.
        """
        wanted = self.withScheduler(serviceName, groupName, lbType, **settings)
        return self._reconciler.reconcile(wanted)

    def withScheduler(
        self, serviceName: str, groupName: str, lbType: str, **settings: Any
    ) -> tuple[ProxyService, ...]:
        """
        Return all services as L{setScheduler} would make them. Nothing is changed.

        @raise ModelError: as there.
        @raise UnknownName: as there.
        """
        group = self.getGroup(serviceName, groupName)
        for name in settings:
            if name not in SCHEDULER_SETTINGS:
                raise UnknownName("setting of schedulers", name, SCHEDULER_SETTINGS)
        service = self.getService(serviceName)
        wanted = service.withGroup(replace(group, scheduler=lbType, **settings))
        return tuple(wanted if each is service else each for each in self.services.values())

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
        return self._withService(replace(service, groups=groups))

    def listenerMoved(
        self, serviceName: str, index: int, address: ListenAddress
    ) -> tuple[Event, ...]:
        """
        Record that a listener of a service has another address. Its other options
        stay. L{LoadBalancedService.switchPort} calls this after it has opened the
        address; this opens no port.

        @param index: which of the service's listeners it is, from 0.
        @raise UnknownName: there is no such service.
        """
        service = self.getService(serviceName)
        listeners = list(service.listeners)
        listeners[index] = replace(listeners[index], address=address)
        return self._withService(replace(service, listeners=tuple(listeners)))

    def setAdmission(self, serviceName: str, **settings: Any) -> tuple[Event, ...]:
        """
        Say which clients may come in from now on. What is not said stays as it is.
        Clients that are in stay.

        @param settings: C{allow}, C{deny}, C{maxConnectionsPerClient},
            C{ratePerClient}, C{burstPerClient}; see L{txlb.model.ProxyService}.
        @raise ModelError: a network or a number breaks a rule.
        @raise UnknownName: there is no such service or setting.
        """
        service = self.getService(serviceName)
        for name in settings:
            if name not in ADMISSION_SETTINGS:
                raise UnknownName("setting of the admission", name, ADMISSION_SETTINGS)
        return self._withService(replace(service, **settings))

    # Checks

    def checkOf(self, serviceName: str, groupName: str, proxiedName: str) -> HealthCheck | None:
        """
        Return how a host is checked: its own check, or its group's, or the default. The
        manager of clones asks them itself.

        @raise UnknownName: there is no such service, group or host.
        """
        group = self.getGroup(serviceName, groupName)
        host = group.getHost(proxiedName)
        if host.origin == CLONES:
            return None
        return host.check or group.check or self.defaultCheck

    def setCheck(
        self,
        serviceName: str,
        groupName: str,
        check: HealthCheck | None,
        proxiedName: str | None = None,
    ) -> tuple[Event, ...]:
        """
        Check the hosts of a group in another way.

        The manager records what is wanted, and L{txlb.health.Heartbeat} does it. The
        manager does not know which kinds of checks there are:
        L{txlb.application.LoadBalancedService.setCheck} looks at that first.

        @param check: L{None} for as the next one says: a host's own check comes
            before its group's, and that before the default.
        @param proxiedName: only this host.
        @raise ModelError: C{check} is no L{HealthCheck}.
        @raise UnknownName: there is no such service, group or host.
        """
        if proxiedName is not None:
            host = self.getHost(serviceName, groupName, proxiedName)
            return self._withHost(serviceName, groupName, replace(host, check=check))
        group = self.getGroup(serviceName, groupName)
        return self._withGroup(serviceName, replace(group, check=check))

    def setDefaultCheck(self, check: HealthCheck | None) -> tuple[Event, ...]:
        """
        Check in another way all hosts that have no check of their own and none
        of their group's.

        @param check: L{None} for not at all.
        """
        before = self.defaultCheck
        if before == check:
            return ()
        self.defaultCheck = check
        details = {**changed(plain(before), plain(check)), "setting": "check"}
        message = f"check {before or 'none'} -> {check or 'none'}"
        with self._observers.together() as events:
            for name in self._running.services:
                self._running.tell(EventKind.SETTING_CHANGED, (name,), message, details)
        return tuple(events)

    # Sources

    def discover(
        self, serviceName: str, groupName: str, source: Discovery | str | None, **options: Any
    ) -> tuple[Event, ...]:
        """
        Let a source find hosts for a group, beside those that people give it. The manager
        records what is wanted, and L{txlb.discovery.Discoverer} does it.
        L{txlb.application.LoadBalancedService.discover} checks first that there is such a source.

        @param source: a L{Discovery}, or the word for a kind of source; L{None} for none any
            more: then the hosts that it has found are removed.
        @param options: C{maxRemove}, and the settings of the kind, if a word is given.
        @raise ModelError: a setting breaks a rule.
        @raise UnknownName: there is no such service or group.
        """
        group = self.getGroup(serviceName, groupName)
        discovery = discoveryFrom(source, options)
        return self._withGroup(serviceName, replace(group, discover=discovery))

    # Time

    @property
    def onDeadline(self) -> Callable[[float], object] | None:
        """
        What is called with a time by which L{advance} has to be called, if that is
        earlier than L{nextDeadline} has said; L{None} if nothing is to be called.
        """
        return self._running.onDeadline

    @onDeadline.setter
    def onDeadline(self, onDeadline: Callable[[float], object] | None) -> None:
        self._running.onDeadline = onDeadline

    @property
    def onCut(self) -> Callable[[Host, Outcome], object] | None:
        """
        What is called with a host and an outcome to reset the connections that the
        host has; L{None} if nothing can.
        """
        return self._running.onCut

    @onCut.setter
    def onCut(self, onCut: Callable[[Host, Outcome], object] | None) -> None:
        self._running.onCut = onCut

    @property
    def onChange(self) -> OnChange | None:
        """
        What is called with the services that a verb or L{apply} is about to change, as they are
        wanted; L{None} if nothing is to be called. It prepares what they need, and may raise
        L{ModelError} if that can't be had: then nothing is changed. It returns what is called
        when they are changed. It is not called for L{applying}.
        """
        return self._reconciler.onChange

    @onChange.setter
    def onChange(self, onChange: OnChange | None) -> None:
        self._reconciler.onChange = onChange

    @property
    def gate(self) -> Gate | None:
        """
        What is called before a verb or L{apply} changes services, with these as they are wanted
        and with what happens to connections; L{None} if nothing is to be called. It returns
        whether it has taken the change over: then it is not made. It may raise L{TxlbError}. It is
        not called for L{applying}.
        """
        return self._reconciler.gate

    @gate.setter
    def gate(self, gate: Gate | None) -> None:
        self._reconciler.gate = gate

    def nextDeadline(self) -> float | None:
        """
        Return when L{advance} has something to do next, in seconds of the clock;
        L{None} for not before something else happens.
        """
        return self._running.nextDeadline()

    def nextDeadlineOf(self, event: Event) -> float | None:
        """
        Return when L{advance} has something to do next in the pool that an event is about,
        in seconds of the clock; L{None} if nothing is due there.
        """
        return self._running.nextDeadlineOf(event.key)

    def advance(self, now: float) -> None:
        """
        Do what is due by C{now} in every pool.
        """
        self._running.advance(now)

    # Making the wanted values

    def _withService(
        self, wanted: ProxyService, endings: Endings | None = None
    ) -> tuple[Event, ...]:
        services = self._running.services.values()
        return self._reconciler.reconcile(
            [wanted if each.name == wanted.name else each for each in services], endings
        )

    def _withGroup(
        self, serviceName: str, wanted: ProxyGroup, endings: Endings | None = None
    ) -> tuple[Event, ...]:
        return self._withService(self.getService(serviceName).withGroup(wanted), endings)

    def _withHost(
        self,
        serviceName: str,
        groupName: str,
        wanted: ProxyHost,
        endings: Endings | None = None,
    ) -> tuple[Event, ...]:
        group = self.getGroup(serviceName, groupName).withHost(wanted)
        return self._withGroup(serviceName, group, endings)

    def _withHostSetting(
        self,
        serviceName: str,
        groupName: str,
        proxiedName: str,
        name: str,
        value: object,
        endings: Endings | None = None,
    ) -> tuple[Event, ...]:
        """
        Change one setting of a host, on which no other one depends.
        """
        host = self.getHost(serviceName, groupName, proxiedName)
        wanted = withSetting(host, name, value, f"host {proxiedName!r}")
        return self._withHost(serviceName, groupName, wanted, endings)

    def _withState(
        self,
        serviceName: str,
        groupName: str,
        proxiedName: str,
        state: str,
        deadline: float | None,
    ) -> tuple[Event, ...]:
        self.getHost(serviceName, groupName, proxiedName)
        endings: Endings = {}
        if deadline is not None:
            ending = Ending(_checkDeadline(deadline, proxiedName))
            endings[serviceName, groupName] = {proxiedName: ending}
        return self._withHostSetting(serviceName, groupName, proxiedName, "state", state, endings)


def _checkDeadline(deadline: float | None, proxiedName: str) -> float | None:
    if deadline is None:
        return None
    return Seconds(0.0, DAY).check(deadline, f"the deadline of host {proxiedName!r}")


def _checkNames(kind: type, own: frozenset[str], settings: dict[str, Any], what: str) -> None:
    known = [field.name for field in fields(kind) if field.init and field.name not in own]
    for name in settings:
        if name in own:
            raise ModelError(f"{name} of a {what} is no such setting; it has a method of its own")
        if name not in known:
            raise UnknownName(f"setting of a {what}", name, known)


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
    @raise ModelError: a service breaks a rule.
    """
    checkClock(seconds)
    if not (random is None or isinstance(random, RandomSource)):
        raise ModelError(f"random is {shown(random)}; it is a random.Random or None")
    return ProxyManager(wantedServices(services), seconds=seconds, random=random)
