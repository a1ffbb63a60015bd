"""
The differences between two configurations, as data and in words.

This is the one diff of the model: C{status()} and plans show it, and
L{txlb.manager.ProxyManager.apply} works by it. It compares the fields of the values, so
that a new setting needs no line here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import filterfalse
from typing import Any

from txlb.model._addresses import InheritedAddress, TCPAddress, UNIXAddress
from txlb.model._groups import ProxyGroup
from txlb.model._health import HealthCheck
from txlb.model._hosts import ProxyHost
from txlb.model._listeners import Listener
from txlb.model._services import ProxyService
from txlb.model.kinds import HIDDEN, SecretText, textOf
from txlb.model.settings import settingsOf

#: The fields that are names, places and parts; every other field is a setting.
_SERVICE_OWN = frozenset({"name", "listeners", "groups"})
_LISTENER_OWN = frozenset({"address"})
_GROUP_OWN = frozenset({"name", "enabled", "hosts"})
_HOST_OWN = frozenset({"name", "ipOrHost", "port"})


#: The most characters of a list in the text of a change.
MAX_SHOWN = 200


class ChangeKind(Enum):
    """
    The kinds of difference. The value is the word for it in data.
    """

    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"
    SWITCHED = "switched"
    CHANGED = "changed"
    REORDERED = "reordered"


@dataclass(frozen=True, slots=True, repr=False)
class Change:
    """
    One difference.

    @ivar kind: the kind of difference.
    @ivar thing: C{service}, C{listener}, C{group} or C{host}, or a word of the
        configuration file for a setting outside the services.
    @ivar key: the names of the service, the group and the host that differ.
    @ivar setting: the name of the setting; empty if the whole thing differs.
    @ivar before: the value; L{None} if it was not there.
    @ivar after: the value; L{None} if it is not there any more.
    @ivar secret: whether the values are secrets.
    @ivar restart: whether a running balancer has to be started anew for it.
    """

    kind: ChangeKind
    thing: str
    key: tuple[str, ...]
    setting: str = ""
    before: Any = None
    after: Any = None
    secret: bool = False
    restart: bool = False

    @property
    def message(self) -> str:
        """
        The change in words, without the thing that has changed.
        """
        words = _WORDS[self.kind](self)
        if self.thing != "listener" or self.kind is ChangeKind.REORDERED:
            return words
        if self.kind in {ChangeKind.MOVED, ChangeKind.CHANGED}:
            return f"listener {words}"
        return f"listener {self.before or self.after} {words}"

    def __repr__(self) -> str:
        # The values may be secrets.
        return f"<Change: {self}>"

    def __str__(self) -> str:
        where = "/".join(self.key)
        if self.kind is ChangeKind.REORDERED and self.thing != "listener":
            return f"{self.thing}s{f' of {where}' if where else ''} in another order"
        thing = "service" if self.thing == "listener" else self.thing
        about = f"{thing} {where}" if where else thing
        plainly = self.kind in {ChangeKind.ADDED, ChangeKind.REMOVED, ChangeKind.MOVED}
        colon = "" if plainly and self.thing != "listener" else ":"
        restart = "; this takes a restart" if self.restart else ""
        return f"{about}{colon} {self.message}{restart}"

    def asDict(self) -> dict[str, object]:
        """
        Return the difference in values that any format can hold.
        """
        before, after = (None, None) if self.secret else (plain(self.before), plain(self.after))
        return {
            "kind": self.kind.value,
            "thing": self.thing,
            "key": list(self.key),
            "setting": self.setting,
            "before": before,
            "after": after,
            "restart": self.restart,
            "text": str(self),
        }


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """
    The changes that lead from one configuration to another. It is true if there is
    something to do, and shows itself as a line for each change.

    @ivar changes: the differences, removals before additions.
    """

    changes: tuple[Change, ...] = ()

    @property
    def lines(self) -> list[str]:
        """
        A line for each change, for people.
        """
        return [str(change) for change in self.changes]

    def asDict(self) -> dict[str, object]:
        """
        Return the plan in values that any format can hold.
        """
        return {"changes": [change.asDict() for change in self.changes]}

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __str__(self) -> str:
        return "\n".join(self.lines) or "nothing would change"

    def __repr__(self) -> str:
        return f"<Plan: {self}>"


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
        if type(before) is type(after) and _hasFields(after):
            yield from settingChanges(thing, key, before, after, prefix=f"{name}.")
        else:
            yield Change(ChangeKind.CHANGED, thing, key, name, before, after, not field.repr)


def _hasFields(value: object) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(
        value, (TCPAddress, UNIXAddress, InheritedAddress)
    )


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
    same = set(map(id, new))
    left = [each for each in old if id(each) not in same]
    if not left:
        return iter(())
    byName = {each.name: each for each in new}
    return ((each, byName[each.name]) for each in left if each.name in byName)


# Data and words


def plain(value: Any) -> object:
    """
    Return a value of the model in values that any format can hold.
    """
    if isinstance(value, SecretText):
        return HIDDEN
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in value]
    if _hasFields(value):
        shown = (field for field in dataclasses.fields(value) if field.repr)
        return {field.name: plain(getattr(value, field.name)) for field in shown}
    return str(value)


def shownValue(value: Any) -> str:
    """
    Show a value of a setting to people. A long list is cut.
    """
    if value is None or value == "":
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={shownValue(each)}" for name, each in value.items()) or "none"
    if isinstance(value, (list, tuple, set, frozenset)):
        text = ", ".join(map(shownValue, value)) or "none"
        return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}… ({len(value)} in all)"
    if isinstance(value, (HealthCheck, Listener)):
        return str(value)
    if _hasFields(value):
        return " ".join(
            f"{field.name}={shownValue(getattr(value, field.name))}"
            for field in dataclasses.fields(value)
            if field.repr and getattr(value, field.name) != _defaultOf(field)
        )
    return textOf(value)


def _defaultOf(field: dataclasses.Field[Any]) -> object:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _added(change: Change) -> str:
    described = _description(change.after)
    return f"added ({described})" if described else "added"


def _moved(change: Change) -> str:
    return f"moved from {change.before} to {change.after}"


def _switched(change: Change) -> str:
    return f"group switched from {change.before} to {change.after}"


def _changed(change: Change) -> str:
    if change.secret:
        return f"{change.setting} changed"
    return f"{change.setting} {shownValue(change.before)} -> {shownValue(change.after)}"


def _reordered(change: Change) -> str:
    return f"{change.thing}s in another order"


_WORDS = {
    ChangeKind.ADDED: _added,
    ChangeKind.REMOVED: lambda _: "removed",
    ChangeKind.MOVED: _moved,
    ChangeKind.SWITCHED: _switched,
    ChangeKind.CHANGED: _changed,
    ChangeKind.REORDERED: _reordered,
}


def _description(value: object) -> str:
    if isinstance(value, ProxyService):
        places = ", ".join(map(str, value.addresses))
        return f"on {places}, {_count(len(value.groups), 'group')}"
    if isinstance(value, ProxyGroup):
        return f"{value.scheduler}, {_count(len(value.hosts), 'host')}"
    if isinstance(value, ProxyHost):
        origin = f", found by {value.origin}" if value.origin else ""
        return f"{value.address}, weight {value.weight}{origin}"
    return ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
