"""
Changes of hosts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from txlb.errors import AddressError, DuplicateName
from txlb.manager._books import Books
from txlb.model import ProxyHost, checkSeconds, checkWeight, parseHostAddress
from txlb.pool import Event


class HostChanges(Books):
    """
    A manager's changes of hosts. Each returns the events that it caused.
    """

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
        @raise UnknownName: there is no such service or group.
        """
        group = self.getGroup(serviceName, groupName)
        host = ProxyHost.at(proxiedName, ip, weight, **settings)
        there = next((each for each in group.hosts if each.name == host.name), None)
        if there is not None:
            raise DuplicateName(
                f"group {groupName!r} of service {serviceName!r} has a host {host.name!r} already, "
                f"at {there.address}; choose another name, or remove that host first"
            )
        service = self._withGroup(serviceName, replace(group, hosts=(*group.hosts, host)))
        return self._commit(service, lambda: self.getPool(serviceName, groupName).addHost(host))

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
        has go on, unless it says otherwise here.

        @param ip: where given, it must be that host's address, so that nobody
            removes a host that is not the one they mean.
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
        if deadline is not None:
            deadline = checkSeconds(deadline, f"the deadline of host {proxiedName!r}", 0.0, 86400.0)
        hosts = tuple(each for each in group.hosts if each is not host)
        service = self._withGroup(serviceName, replace(group, hosts=hosts))
        pool = self.getPool(serviceName, groupName)
        return self._commit(service, lambda: pool.removeHost(proxiedName, deadline, force))

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
