"""
Changes of how hosts are checked.
"""

from __future__ import annotations

import functools
from dataclasses import replace

from txlb.manager._books import Books
from txlb.model import HealthCheck, plain
from txlb.pool import Event, EventKind, changed


class CheckChanges(Books):
    """
    A manager's changes of health checks. Each returns the events that it caused.

    They say what is wanted; L{txlb.health.Heartbeat} does it. A manager does not
    know which kinds of checks there are:
    L{txlb.application.LoadBalancedService.setCheck} looks at that first.
    """

    def checkOf(self, serviceName: str, groupName: str, proxiedName: str) -> HealthCheck | None:
        """
        How a host is checked: its own check, or its group's, or the default.

        @raise UnknownName: there is no such service, group or host.
        """
        group = self.getGroup(serviceName, groupName)
        return group.getHost(proxiedName).check or group.check or self.defaultCheck

    def setCheck(
        self,
        serviceName: str,
        groupName: str,
        check: HealthCheck | None,
        proxiedName: str | None = None,
    ) -> tuple[Event, ...]:
        """
        Check the hosts of a group in another way.

        @param check: L{None} for as the next one says: a host's own check comes
            before its group's, and that before the default.
        @param proxiedName: only this host.
        @raise ModelError: C{check} is no L{HealthCheck}.
        @raise UnknownName: there is no such service, group or host.
        """
        group = self.getGroup(serviceName, groupName)
        key: tuple[str, ...] = (serviceName, groupName)
        if proxiedName is None:
            before = group.check
            after = replace(group, check=check)
        else:
            host = group.getHost(proxiedName)
            before, key = host.check, (*key, proxiedName)
            hosts = tuple(replace(h, check=check) if h is host else h for h in group.hosts)
            after = replace(group, hosts=hosts)
        if before == check:
            return ()
        service = self._withGroup(serviceName, after)
        return self._commit(
            service,
            lambda: self._tellOfCheck(key, before, check),
        )

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
        events: list[Event] = []
        for service in tuple(self._services.values()):
            tell = functools.partial(self._tellOfCheck, (service.name,), before, check)
            events += self._commit(service, tell)
        return tuple(events)

    def _tellOfCheck(
        self, key: tuple[str, ...], before: HealthCheck | None, after: HealthCheck | None
    ) -> None:
        details = {**changed(plain(before), plain(after)), "setting": "check"}
        message = f"check {before or 'none'} -> {after or 'none'}"
        self._tell(EventKind.SETTING_CHANGED, key, message, details)
