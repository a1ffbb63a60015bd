"""
The way from one configuration to another, in slices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, zip_longest

from txlb.model import ProxyGroup, ProxyHost, ProxyService
from txlb.schedulers import schedulerKind

#: How many services, groups and hosts one slice adds, changes or removes at most. One of them
#: costs about 0.1 ms, with its line in the log; slices that take longer get fewer.
MOST = 50

Services = tuple[ProxyService, ...]


class Way:
    """
    The configurations between one and another. Each of them is complete and valid, and
    at most C{most} things differ from each to the next.

    A service has its new hosts before it sends clients to them, and keeps hosts that
    go until it doesn't: first the hosts of the groups that are wanted change, come and
    go; then the service is as it is wanted; then the hosts of groups that are not wanted
    any more go. A group never has more hosts than before or in the end, as some
    schedulers take only so many. When all wanted services are there the others lose all
    hosts but one of each group that may have clients, and go.

    @ivar most: how many things differ at most, 1 or more. It counts from the next configuration
        on.
    """

    def __init__(
        self, before: Iterable[ProxyService], wanted: Sequence[ProxyService], most: int = MOST
    ) -> None:
        self._now = {service.name: service for service in before}
        self._wanted = tuple(wanted)
        self.most = most
        self._spent = 0

    def __iter__(self) -> Iterator[Services]:
        """
        Yield the configurations of L{coming}, then those of L{going}. From the last one to the
        one that is wanted only the order of the services may differ.
        """
        return chain(self.coming(), self.going())

    def coming(self) -> Iterator[Services]:
        """
        Yield configurations until all services are as they are wanted. The others stay.
        """
        for service in self._wanted:
            before = self._now.get(service.name)
            if before is not service:
                yield from self._service(before, service)
        yield from self._rest()

    def going(self) -> Iterator[Services]:
        """
        Yield configurations until the services that are not wanted are gone.
        """
        names = {service.name for service in self._wanted}
        for gone in [each for name, each in self._now.items() if name not in names]:
            for group in gone.groups:
                # The service has clients until it goes, which need a host.
                left = group.hosts[: int(group.enabled or group.backup)]
                yield from self._follow(gone.name, group.name, left)
            del self._now[gone.name]
            yield from self._spend()
        yield from self._rest()

    def _rest(self) -> Iterator[Services]:
        """
        End the last slice, if something differs.
        """
        if self._spent:
            yield from self._spend(self.most)

    def _spend(self, count: int = 1) -> Iterator[Services]:
        """
        Count things that differ, and end the slice if they are enough.
        """
        self._spent += count
        if self._spent >= self.most:
            self._spent = 0
            yield tuple(self._now.values())

    def _service(self, before: ProxyService | None, wanted: ProxyService) -> Iterator[Services]:
        name = wanted.name
        going: list[ProxyGroup] = []
        if before is None:
            groups = [replace(group, hosts=()) for group in wanted.groups]
        else:
            old = {group.name: group for group in before.groups}
            enabled = before.enabledGroup.name
            groups = [_begun(old.pop(group.name, None), group, enabled) for group in wanted.groups]
            going = list(old.values())
        self._now[name] = replace(wanted, groups=(*groups, *going))
        yield from self._spend()
        for group in wanted.groups:
            yield from self._follow(name, group.name, group.hosts)
        # From here on its clients go to the group that is wanted.
        going = [replace(group, enabled=False) for group in going]
        self._now[name] = replace(wanted, groups=(*wanted.groups, *going)) if going else wanted
        yield from self._spend()
        for group in going:
            yield from self._follow(name, group.name, ())
            kept = [each for each in self._now[name].groups if each.name != group.name]
            self._now[name] = replace(wanted, groups=tuple(kept))
            yield from self._spend()
        self._now[name] = wanted

    def _follow(
        self, serviceName: str, groupName: str, wanted: Sequence[ProxyHost]
    ) -> Iterator[Services]:
        """
        Let a group have the hosts that are wanted, but not their order.
        """
        present = self._now[serviceName].getGroup(groupName).hosts
        table = {host.name: host for host in present}
        for change in _changes(table, wanted):
            if isinstance(change, str):
                del table[change]
            else:
                table[change.name] = change
            if self._spent + 1 >= self.most:
                self._put(serviceName, groupName, table.values())
            yield from self._spend()
        self._put(serviceName, groupName, table.values())

    def _put(self, serviceName: str, groupName: str, hosts: Iterable[ProxyHost]) -> None:
        service, found = self._now[serviceName], tuple(hosts)
        if service.getGroup(groupName).hosts != found:
            groups = [
                replace(group, hosts=found) if group.name == groupName else group
                for group in service.groups
            ]
            self._now[serviceName] = replace(service, groups=tuple(groups))


def _begun(before: ProxyGroup | None, wanted: ProxyGroup, enabled: str) -> ProxyGroup:
    """
    Return a group as it is before its hosts follow: it has the settings that are wanted, unless
    their scheduler doesn't take so many hosts.
    """
    if before is None:
        return replace(wanted, hosts=(), enabled=False)
    most = schedulerKind(wanted.scheduler).maxHosts
    if most is not None and len(before.hosts) > most:
        return before
    return replace(wanted, hosts=before.hosts, enabled=before.name == enabled)


def _changes(
    present: dict[str, ProxyHost], wanted: Sequence[ProxyHost]
) -> Iterator[str | ProxyHost]:
    """
    Yield what it takes to get from hosts to others: a name of a host to remove, or a host to
    add or change. Before one is added one is removed, if there is one to remove.
    """
    names = {host.name for host in wanted}
    changed = [
        host
        for host in wanted
        if host.name in present and present[host.name] is not host and present[host.name] != host
    ]
    come = [host for host in wanted if host.name not in present]
    go = [name for name in present if name not in names]
    pairs = chain.from_iterable(zip_longest(go, come))
    return (each for each in (*changed, *pairs) if each is not None)
