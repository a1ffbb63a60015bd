"""
The differences between two configurations.

This is the one diff of the model: C{status()} and plans show it, and
L{txlb.manager.ProxyManager.apply} works by it. It compares the fields of the values, so
that a new setting needs no line here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from itertools import filterfalse
from typing import Any

from txlb.model._addresses import ListenAddress
from txlb.model._change import Change
from txlb.model._changekind import ChangeKind
from txlb.model._groups import ProxyGroup
from txlb.model._hosts import ProxyHost
from txlb.model._listeners import Listener
from txlb.model._plan import Plan
from txlb.model._services import ProxyService
from txlb.model._unixaddress import UNIXAddress
from txlb.model.settings import settingsOf

#: The fields that are names, places and parts; every other field is a setting.
_SERVICE_OWN = frozenset({"name", "listeners", "groups"})
_LISTENER_OWN = frozenset({"address"})
_GROUP_OWN = frozenset({"name", "enabled", "hosts"})
_HOST_OWN = frozenset({"name", "ipOrHost", "port"})


def changesBetween(before: Iterable[ProxyService], after: Iterable[ProxyService]) -> Plan:
    """
    Compare two lists of services. The plan is empty if they are equal.
    """
    old, new = list(before), list(after)
    found = list(_listChanges("service", (), old, new))
    for pair in _pairs(old, new):
        found.extend(_serviceChanges(*pair))
    return Plan(tuple(found))


def settingChanges(
    thing: str,
    key: tuple[str, ...],
    old: Any,
    new: Any,
    without: frozenset[str] = frozenset(),
    prefix: str = "",
) -> Iterator[Change]:
    """
    Compare two values of the same dataclass by their fields. If a field holds such a value
    itself, its own fields are compared.

    @param thing: the kind of the values, see L{Change.thing}.
    @param without: names of fields that are not compared.
    """
    for field in dataclasses.fields(new):
        if not field.compare or field.name in without:
            continue
        before, after = getattr(old, field.name), getattr(new, field.name)
        # What is the very same needs no look.
        if before is after or before == after:
            continue
        name = prefix + field.name
        # An address is changed as a whole.
        whole = not dataclasses.is_dataclass(after) or isinstance(after, ListenAddress)
        if type(before) is type(after) and not whole:
            yield from settingChanges(thing, key, before, after, prefix=f"{name}.")
        else:
            yield Change(ChangeKind.CHANGED, thing, key, name, before, after, not field.repr)


def _serviceChanges(old: ProxyService, new: ProxyService) -> Iterator[Change]:
    key = (old.name,)
    if old.listeners is not new.listeners:
        yield from _listenerChanges(key, old.listeners, new.listeners)
    yield from settingChanges("service", key, old, new, _SERVICE_OWN)
    before, after = old.enabledGroup.name, new.enabledGroup.name
    if before != after:
        yield Change(ChangeKind.SWITCHED, "service", key, "", before, after)
    yield from _listChanges("group", key, old.groups, new.groups)
    for groups in _pairs(old.groups, new.groups):
        yield from _groupChanges(old.name, *groups)


def _listenerChanges(
    key: tuple[str, ...], old: Sequence[Listener], new: Sequence[Listener]
) -> Iterator[Change]:
    if len(old) == len(new):
        for before, after in zip(old, new, strict=True):
            if before.place != after.place:
                yield Change(ChangeKind.MOVED, "listener", key, "", before.place, after.place)
            yield from _optionChanges(key, before, after)
        return
    found = {each.place: each for each in old}
    for each in new:
        if each.place in found:
            yield from _optionChanges(key, found[each.place], each)
    places, newPlaces = [each.place for each in old], [each.place for each in new]
    gone, come = _without(places, newPlaces), _without(newPlaces, places)
    yield from (Change(ChangeKind.REMOVED, "listener", key, "", each) for each in gone)
    yield from (Change(ChangeKind.ADDED, "listener", key, "", None, each) for each in come)
    if _without(places, gone) != _without(newPlaces, come):
        yield Change(ChangeKind.REORDERED, "listener", key, "", places, newPlaces)


def _optionChanges(key: tuple[str, ...], old: Listener, new: Listener) -> Iterator[Change]:
    """
    Compare the options of a listener before and after a change. A socket that is moved
    is a new one, and its rights are not compared.
    """
    if old.place == new.place:
        yield from _permissionChanges(key, old.address, new.address)
    yield from settingChanges("listener", key, old, new, _LISTENER_OWN, f"{new.address} ")


def _permissionChanges(key: tuple[str, ...], before: object, after: object) -> Iterator[Change]:
    """
    Compare the rights of two UNIX sockets of one path.
    """
    if not isinstance(before, UNIXAddress) or not isinstance(after, UNIXAddress):
        return
    for name, setting in settingsOf(UNIXAddress).items():
        old, new = (
            None if value is None else setting.kind.write(value)
            for value in (getattr(before, name), getattr(after, name))
        )
        if old != new:
            yield Change(ChangeKind.CHANGED, "listener", key, f"{after} {name}", old, new)


def _without(values: Sequence[object], others: Sequence[object]) -> list[object]:
    """
    Take each of the others away once, and return the rest. A program may have two listeners
    on port 0.
    """
    left, away = [], list(others)
    for value in values:
        if value in away:
            away.remove(value)
        else:
            left.append(value)
    return left


def _groupChanges(serviceName: str, old: ProxyGroup, new: ProxyGroup) -> Iterator[Change]:
    key = (serviceName, old.name)
    yield from settingChanges("group", key, old, new, _GROUP_OWN)
    yield from _listChanges("host", key, old.hosts, new.hosts)
    for before, after in _pairs(old.hosts, new.hosts):
        if before != after:
            yield from _hostChanges((*key, before.name), before, after)


def _hostChanges(key: tuple[str, ...], old: ProxyHost, new: ProxyHost) -> Iterator[Change]:
    if old.address != new.address:
        yield Change(ChangeKind.MOVED, "host", key, "", old.address, new.address)
    yield from settingChanges("host", key, old, new, _HOST_OWN)


def _listChanges(
    thing: str, key: tuple[str, ...], old: Sequence[Any], new: Sequence[Any]
) -> Iterator[Change]:
    oldNames, newNames = [each.name for each in old], [each.name for each in new]
    if oldNames == newNames:
        return
    # The work on each name is that of C: a slice of a reload compares thousands of hosts.
    gone, come = set(oldNames).difference(newNames), set(newNames).difference(oldNames)
    if gone:
        for each in old:
            if each.name in gone:
                yield Change(ChangeKind.REMOVED, thing, (*key, each.name), "", each)
    if come:
        for each in new:
            if each.name in come:
                yield Change(ChangeKind.ADDED, thing, (*key, each.name), "", None, each)
    kept = list(filterfalse(gone.__contains__, oldNames)) if gone else oldNames
    if kept != (list(filterfalse(come.__contains__, newNames)) if come else newNames):
        yield Change(ChangeKind.REORDERED, thing, key, "", oldNames, newNames)


def _pairs(old: Sequence[Any], new: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """
    Those that are in both, by their names, without those that are the very same: values
    don't change, and in large groups most are.
    """
    if len(old) == len(new):
        pairs = [pair for pair in zip(old, new, strict=True) if pair[0] is not pair[1]]
        if all(before.name == after.name for before, after in pairs):
            return iter(pairs)
    same = set(map(id, new))
    left = [each for each in old if id(each) not in same]
    if not left:
        return iter(())
    byName = {each.name: each for each in new}
    return ((each, byName[each.name]) for each in left if each.name in byName)
