"""
The manager: what a program and an administrator change a balancer by.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from txlb import schedulers
from txlb.errors import ModelError, UnknownName
from txlb.manager._admission import AdmissionChanges
from txlb.manager._checks import CheckChanges
from txlb.manager._lifecycle import Lifecycle
from txlb.model import SCHEDULER_SETTINGS, ListenAddress
from txlb.pool import Event, EventKind, changed


class ProxyManager(Lifecycle, AdmissionChanges, CheckChanges):
    """
    The services of one balancer: what is configured, and a pool for each group.

    Changes return the events that they caused. It is called from one thread.

    @ivar onError: is called with the exception that an observer raised.
    """

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
        group = self.getGroup(serviceName, groupName)
        word = schedulers.canonicalWord(lbType)
        for name in settings:
            if name not in SCHEDULER_SETTINGS:
                raise UnknownName("setting of schedulers", name, SCHEDULER_SETTINGS)
        new = replace(group, scheduler=word, **settings)
        service = self._withGroup(serviceName, new)

        def change() -> None:
            pool = self.getPool(serviceName, groupName)
            pool.setSettings(new)
            pool.setScheduler(word)
            self._tell(
                EventKind.SCHEDULER_CHANGED,
                (serviceName, groupName),
                f"scheduler {group.scheduler} -> {word}",
                changed(group.scheduler, word),
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
                changed(oldGroupName, newGroupName),
            ),
        )

    def listenerMoved(
        self, serviceName: str, index: int, address: ListenAddress
    ) -> tuple[Event, ...]:
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
                EventKind.LISTENER_MOVED,
                (serviceName,),
                f"listens on {address}, not on {before}",
                changed(str(before), str(address)),
            ),
        )

    # Time

    def nextDeadline(self) -> float | None:
        """
        When L{advance} has something to do next, in seconds of the clock;
        L{None} for not before something else happens.
        """
        deadlines = [pool.nextDeadline() for pool in (*self._pools.values(), *self._parting)]
        deadlines.append(self._failover.nextDeadline())
        return min((each for each in deadlines if each is not None), default=None)

    def advance(self, now: float) -> None:
        """
        Do what is due by C{now} in every pool.
        """
        for pool in (*self._pools.values(), *self._parting):
            pool.advance(now)
        self._parting = self._stillParting()
        for serviceName in self._failover.due(now):
            self._review(serviceName)
