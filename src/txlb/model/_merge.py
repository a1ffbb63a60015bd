"""
The merge of two changes of one configuration that were made at the same time: the live
changes, and those in the file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from txlb.errors import ModelError
from txlb.model._conflict import Conflict
from txlb.model._groups import ProxyGroup
from txlb.model._hosts import ProxyHost
from txlb.model._merged import Merged
from txlb.model._origins import ownedByPeople, withFound
from txlb.model._services import ProxyService

_SETTINGS_WITHOUT = {
    ProxyService: frozenset({"name", "groups"}),
    ProxyGroup: frozenset({"name", "hosts", "enabled"}),
    ProxyHost: frozenset({"name", "ipOrHost", "port"}),
}
_INSIDE = {ProxyService: "groups", ProxyGroup: "hosts"}
_THINGS = {ProxyService: "service", ProxyGroup: "group", ProxyHost: "host"}


def mergeServices(
    before: Iterable[ProxyService], mine: Iterable[ProxyService], theirs: Iterable[ProxyService]
) -> Merged:
    """
    Merge two changes of the same services, if they change different things. Each setting
    is one thing, and so is each service, group and host, by its name. Hosts that sources have
    found are not compared, and stay in their groups: see L{withFound}.

    @param before: the services before both changes.
    @param mine: the services with the live changes.
    @param theirs: the services with the changes of the file.
    @raise ModelError: each change is right, but both together break a rule of the model.
    """
    merge = _Merge()
    running = tuple(mine)
    services = merge.lists((), list(before), list(ownedByPeople(running)), list(theirs))
    if merge.conflicts:
        return Merged((), tuple(merge.conflicts))
    if not services:
        raise ModelError("there is no service; a balancer needs at least one")
    return Merged(withFound(services, running))


class _Merge:
    def __init__(self) -> None:
        self.conflicts: list[Conflict] = []

    def lists(
        self,
        key: tuple[str, ...],
        before: Sequence[Any],
        mine: Sequence[Any],
        theirs: Sequence[Any],
    ) -> list[Any]:
        """
        Merge lists of named things. The result is in the order of theirs; if only mine are in
        another order, in that one.
        """
        if mine == before:
            return list(theirs)
        if theirs in (before, mine):
            return list(mine)
        old, here, there = ({each.name: each for each in each_} for each_ in (before, mine, theirs))
        first, second = (here, there) if list(there) == list(old) else (there, here)
        names = [*first, *(name for name in second if name not in first)]
        found = [
            self.one((*key, name), old.get(name), here.get(name), there.get(name)) for name in names
        ]
        return [each for each in found if each is not None]

    def one(self, key: tuple[str, ...], before: Any, mine: Any, theirs: Any) -> Any:
        """
        Merge one thing; L{None} if it is not there.
        """
        if theirs in (before, mine):
            return mine
        if mine == before:
            return theirs
        if before is None or mine is None or theirs is None:
            thing = _THINGS[type(mine or theirs)]
            self.conflicts.append(Conflict(thing, key, "", before, mine, theirs))
            return None
        return self.fields(key, before, mine, theirs)

    def fields(self, key: tuple[str, ...], before: Any, mine: Any, theirs: Any) -> Any:
        """
        Merge the settings of one thing, and the things inside.
        """
        kind = type(mine)
        changes = {
            field.name: self.setting(
                key, field.name, *(getattr(each, field.name) for each in (before, mine, theirs))
            )
            for field in dataclasses.fields(kind)
            if field.init and field.name not in _SETTINGS_WITHOUT[kind]
        }
        if kind is ProxyHost:
            # Where it is is one thing, or two moves would make a third.
            where = self.setting(key, "address", before.address, mine.address, theirs.address)
            mover = mine if where == mine.address else theirs
            changes.update(ipOrHost=mover.ipOrHost, port=mover.port)
        inside = _INSIDE.get(kind)
        if inside is not None:
            changes[inside] = tuple(
                self.lists(key, *(list(getattr(each, inside)) for each in (before, mine, theirs)))
            )
        if kind is ProxyService:
            names = (each.enabledGroup.name for each in (before, mine, theirs))
            enabled = self.setting(key, "enabled group", *names)
            changes["groups"] = tuple(
                replace(group, enabled=group.name == enabled) for group in changes["groups"]
            )
        if self.conflicts:
            # It is not used, and might not be right.
            return mine
        return replace(mine, **changes)

    def setting(self, key: tuple[str, ...], name: str, before: Any, mine: Any, theirs: Any) -> Any:
        """
        Merge one value.
        """
        if theirs in (before, mine):
            return mine
        if mine != before:
            thing = ("service", "group", "host")[len(key) - 1]
            self.conflicts.append(Conflict(thing, key, name, before, mine, theirs))
        return theirs
