"""
The hosts that people own, and those that sources have found.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from txlb.model._groups import ProxyGroup
from txlb.model._hosts import ProxyHost
from txlb.model._services import ProxyService


def ownedByPeople(services: Iterable[ProxyService]) -> tuple[ProxyService, ...]:
    """
    Return services without the hosts that sources have found. A service without such a
    host is returned as it is.
    """
    return tuple(map(_peoplesService, services))


def withFound(
    services: Iterable[ProxyService], running: Iterable[ProxyService]
) -> tuple[ProxyService, ...]:
    """
    Add the hosts that sources have found to services that people have written.

    A host goes to the group in which it runs, behind the host behind which it stands there.
    It is left out if there is no such group any more, or if a host of people has its name.

    @param services: the services to add hosts to.
    @param running: the services with these hosts.
    """
    found = {
        (service.name, group.name): group
        for service in running
        for group in service.groups
        if any(host.origin for host in group.hosts)
    }
    if not found:
        return tuple(services)
    return tuple(_foundService(service, found) for service in services)


def _peoplesService(service: ProxyService) -> ProxyService:
    groups = tuple(map(_peoplesGroup, service.groups))
    return service if _same(groups, service.groups) else replace(service, groups=groups)


def _peoplesGroup(group: ProxyGroup) -> ProxyGroup:
    hosts = tuple(host for host in group.hosts if not host.origin)
    return group if len(hosts) == len(group.hosts) else replace(group, hosts=hosts)


def _foundService(service: ProxyService, found: dict[tuple[str, str], ProxyGroup]) -> ProxyService:
    groups = tuple(
        _foundGroup(group, found.get((service.name, group.name))) for group in service.groups
    )
    return service if _same(groups, service.groups) else replace(service, groups=groups)


def _foundGroup(group: ProxyGroup, running: ProxyGroup | None) -> ProxyGroup:
    if running is None:
        return group
    names = {host.name for host in group.hosts}
    # The found hosts by the name of the host of people before them; None for the front.
    following: dict[str | None, list[ProxyHost]] = {}
    before = None
    for host in running.hosts:
        if host.name in names:
            before = host.name
        elif host.origin:
            following.setdefault(before, []).append(host)
    if not following:
        return group
    hosts = following.pop(None, [])
    for host in group.hosts:
        hosts += [host, *following.get(host.name, ())]
    return replace(group, hosts=hosts)


def _same(groups: Sequence[ProxyGroup], others: Sequence[ProxyGroup]) -> bool:
    return all(each is other for each, other in zip(groups, others, strict=True))
