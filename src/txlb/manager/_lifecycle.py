"""
Taking hosts out and bringing them back, and changing how a group treats them.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from txlb.errors import ModelError, UnknownName
from txlb.manager._apply import Transitions
from txlb.model import ProxyGroup, ProxyHost, checkSeconds
from txlb.pool import Event

#: What of a group and of a host has methods of its own.
_GROUP_OWN = frozenset({"name", "scheduler", "enabled", "hosts"})
_HOST_OWN = frozenset({"name", "ipOrHost", "port", "weight", "state"})

DAY = 86400.0


class Lifecycle(Transitions):
    """
    A manager's changes of what hosts are for.
    """

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
            a day; L{None} for never.
        @raise ModelError: the deadline breaks the rule.
        @raise UnknownName: there is no such service, group or host.
        """
        return self._setState(serviceName, groupName, proxiedName, "drain", deadline)

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
        return self._setState(serviceName, groupName, proxiedName, "maintenance", deadline)

    def ready(self, serviceName: str, groupName: str, proxiedName: str) -> tuple[Event, ...]:
        """
        Bring a host back that was drained or in maintenance.

        @raise UnknownName: there is no such service, group or host.
        """
        return self._setState(serviceName, groupName, proxiedName, "ready", None)

    def _setState(
        self,
        serviceName: str,
        groupName: str,
        proxiedName: str,
        state: str,
        deadline: float | None,
    ) -> tuple[Event, ...]:
        group = self.getGroup(serviceName, groupName)
        host = group.getHost(proxiedName)
        if deadline is not None:
            deadline = checkSeconds(deadline, f"the deadline of host {proxiedName!r}", 0.0, DAY)
        service = self._withGroup(serviceName, _with(group, host, state=state))
        pool = self.getPool(serviceName, groupName)
        return self._commit(service, lambda: pool.setState(proxiedName, state, deadline))

    def setHost(
        self, serviceName: str, groupName: str, proxiedName: str, **settings: Any
    ) -> tuple[Event, ...]:
        """
        Change settings of a host, such as C{maxConnections} or C{backup}. Its
        weight and state have methods of their own.

        @raise ModelError: a setting breaks a rule.
        @raise UnknownName: there is no such service, group, host or setting.
        """
        group = self.getGroup(serviceName, groupName)
        host = group.getHost(proxiedName)
        _checkNames(ProxyHost, _HOST_OWN, settings, "host")
        return self._applyGroup(serviceName, _with(group, host, **settings))

    def setGroup(self, serviceName: str, groupName: str, **settings: Any) -> tuple[Event, ...]:
        """
        Change settings of a group, such as C{maxQueue} or C{whenAllDown}. Its
        scheduler, its hosts and whether it is enabled have methods of their own.

        @raise ModelError: a setting breaks a rule.
        @raise UnknownName: there is no such service, group or setting.
        """
        group = self.getGroup(serviceName, groupName)
        _checkNames(ProxyGroup, _GROUP_OWN, settings, "group")
        return self._applyGroup(serviceName, replace(group, **settings))

    def _applyGroup(self, serviceName: str, group: ProxyGroup) -> tuple[Event, ...]:
        changed = self._withGroup(serviceName, group)
        return self.apply(
            [changed if each.name == serviceName else each for each in self._services.values()]
        )


def _with(group: ProxyGroup, host: ProxyHost, **settings: Any) -> ProxyGroup:
    """
    @return: the group with other settings of one of its hosts.
    """
    hosts = tuple(replace(each, **settings) if each is host else each for each in group.hosts)
    return replace(group, hosts=hosts)


def _checkNames(kind: type, own: frozenset[str], settings: dict[str, Any], what: str) -> None:
    known = [field.name for field in fields(kind) if field.name not in own]
    for name in settings:
        if name in own:
            raise ModelError(f"{name} of a {what} is no such setting; it has a method of its own")
        if name not in known:
            raise UnknownName(f"setting of a {what}", name, known)
