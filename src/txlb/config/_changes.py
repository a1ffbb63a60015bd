"""
What differs between two lists of services, in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from txlb.config._build import GROUP_SETTINGS, HOST_SETTINGS, SERVICE_SETTINGS
from txlb.model import ProxyGroup, ProxyHost, ProxyService


def describeChanges(before: Iterable[ProxyService], after: Iterable[ProxyService]) -> list[str]:
    """
    A line for each thing that differs; none where they are equal.
    """
    old, new = list(before), list(after)
    return [
        *_listChanges("service", "", old, new, _addedService),
        *(line for pair in _pairs(old, new) for line in _serviceChanges(*pair)),
    ]


def _serviceChanges(old: ProxyService, new: ProxyService) -> Iterator[str]:
    where = f"service {old.name}"
    yield from _listenerChanges(where, old, new)
    yield from _settingChanges(where, SERVICE_SETTINGS, old, new)
    if old.enabledGroup.name != new.enabledGroup.name:
        yield f"{where}: group switched from {old.enabledGroup.name} to {new.enabledGroup.name}"
    yield from _listChanges("group", f"{old.name}/", old.groups, new.groups, _addedGroup)
    for groups in _pairs(old.groups, new.groups):
        yield from _groupChanges(old.name, *groups)


def _listenerChanges(where: str, old: ProxyService, new: ProxyService) -> Iterator[str]:
    if len(old.addresses) == len(new.addresses):
        for before, after in zip(old.addresses, new.addresses, strict=True):
            if before != after:
                yield f"{where}: listener moved from {before} to {after}"
        return
    gone = [str(each) for each in old.addresses if each not in new.addresses]
    come = [str(each) for each in new.addresses if each not in old.addresses]
    yield from (f"{where}: listener {address} removed" for address in gone)
    yield from (f"{where}: listener {address} added" for address in come)
    kept = [each for each in old.addresses if each in new.addresses]
    if kept != [each for each in new.addresses if each in old.addresses]:
        yield f"{where}: listeners in another order"


def _groupChanges(serviceName: str, old: ProxyGroup, new: ProxyGroup) -> Iterator[str]:
    where = f"group {serviceName}/{old.name}"
    yield from _settingChanges(where, ("scheduler", *GROUP_SETTINGS), old, new)
    prefix = f"{serviceName}/{old.name}/"
    yield from _listChanges("host", prefix, old.hosts, new.hosts, _addedHost)
    for before, after in _pairs(old.hosts, new.hosts):
        what = f"host {prefix}{before.name}"
        if before.address != after.address:
            yield f"{what} moved from {before.address} to {after.address}"
        yield from _settingChanges(what, HOST_SETTINGS, before, after)


def _settingChanges(where: str, names: Iterable[str], old: object, new: object) -> Iterator[str]:
    for name in names:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield f"{where}: {name} {_value(before)} -> {_value(after)}"


def _listChanges(
    kind: str, prefix: str, old: Sequence[Any], new: Sequence[Any], describe: Any
) -> Iterator[str]:
    oldNames, newNames = [each.name for each in old], [each.name for each in new]
    inOld, inNew = set(oldNames), set(newNames)
    yield from (f"{kind} {prefix}{name} removed" for name in oldNames if name not in inNew)
    for each in new:
        if each.name not in inOld:
            yield f"{kind} {prefix}{each.name} added ({describe(each)})"
    kept = [name for name in oldNames if name in inNew]
    if kept != [name for name in newNames if name in inOld]:
        yield f"{kind}s{f' of {prefix[:-1]}' if prefix else ''} in another order"


def _pairs(old: Iterable[Any], new: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """
    Those that are in both, by their names.
    """
    byName = {each.name: each for each in new}
    return ((each, byName[each.name]) for each in old if each.name in byName)


def _addedService(service: ProxyService) -> str:
    return f"on {', '.join(map(str, service.addresses))}, {_count(len(service.groups), 'group')}"


def _addedGroup(group: ProxyGroup) -> str:
    return f"{group.scheduler}, {_count(len(group.hosts), 'host')}"


def _addedHost(host: ProxyHost) -> str:
    return f"{host.address}, weight {host.weight}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _value(value: object) -> str:
    return "none" if value is None else str(value)
