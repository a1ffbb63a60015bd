"""
The making of shared values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from txlb.cluster._items import ADDRESS, GROUP, HOST, Item
from txlb.errors import ModelError, TxlbError, UnknownName
from txlb.model import Discovery, HealthCheck, ProxyGroup, ProxyHost, ProxyService, shown

#: Settings that are values of their own, with what makes them of plain values.
_PARTS: Mapping[str, type] = {"check": HealthCheck, "discover": Discovery}

_Key = tuple[str, ...]


def withItems(
    services: Iterable[ProxyService], items: Iterable[Item]
) -> tuple[tuple[ProxyService, ...], list[str]]:
    """
    Return services with the values of items.

    @return: the services, and a sentence for each value that is wrong. What is about a thing that
        is not there changes nothing.
    """
    making = Making(services, items)
    for _ in making.steps():
        pass
    return making.made, making.wrong


class Making:
    """
    The making of services with the values of items, in steps: there may be thousands.

    @param services: the services as they are.
    @param items: the items.

    @ivar wrong: a sentence for each value that is wrong.
    """

    def __init__(self, services: Iterable[ProxyService], items: Iterable[Item]) -> None:
        self._found = {each.name: each for each in services}
        self.wrong: list[str] = []
        # By the service, by the group, and for the hosts of a group together.
        self._units: dict[tuple[str, ...], dict[_Key, list[Item]]] = {}
        for item in items:
            unit = item.key if len(item.key) < 3 else (*item.key[:2], "")
            self._units.setdefault(unit, {}).setdefault(item.key, []).append(item)

    @property
    def made(self) -> tuple[ProxyService, ...]:
        """
        The services, when all steps were made.
        """
        return tuple(self._found.values())

    def steps(self) -> Iterator[None]:
        """
        Make them, one thing in each step.
        """
        for unit, byKey in self._units.items():
            service = self._found.get(unit[0])
            if service is not None and len(unit) > 2:
                yield from self._hosts(service, unit[1], byKey)
            elif service is not None:
                make = _madeService if len(unit) == 1 else _withGroup
                [items] = byKey.values()
                self._found[unit[0]] = self._together(make, service, items)
                yield

    def _hosts(
        self, service: ProxyService, name: str, byKey: Mapping[_Key, Sequence[Item]]
    ) -> Iterator[None]:
        try:
            group = service.getGroup(name)
        except UnknownName:
            return
        hosts = {each.name: each for each in group.hosts}
        changed: dict[str, ProxyHost | None] = {}
        for key, items in byKey.items():
            there = hosts.get(key[2])
            made = self._together(_madeHost, there, items)
            if made is not there:
                changed[key[2]] = made
            yield
        try:
            made = _withHosts(group, changed)
        except ModelError:
            # One of them breaks a rule of the group.
            made = group
            for host, each in changed.items():
                try:
                    made = _withHosts(made, {host: each})
                except ModelError as error:
                    self.wrong.append(f"host {service.name}/{name}/{host}: {error}")
                yield
        if made is not group:
            self._found[service.name] = service.withGroup(made)

    def _together(self, make: Callable[[Any, Any], Any], thing: Any, items: Sequence[Item]) -> Any:
        """
        Make all items of one thing at once, as rules may tie them; one by one if that is wrong.
        """
        try:
            return make(thing, items)
        except UnknownName:
            return thing
        except (TxlbError, TypeError, ValueError, KeyError, AttributeError) as error:
            if len(items) == 1:
                self.wrong.append(f"{items[0].setting} of {'/'.join(items[0].key)}: {error}")
                return thing
        for item in items:
            thing = self._together(make, thing, [item])
        return thing


def _valuesOf(items: Iterable[Item]) -> dict[str, Any]:
    return {each.setting: each.value for each in items}


def _withHosts(group: ProxyGroup, changed: Mapping[str, ProxyHost | None]) -> ProxyGroup:
    """
    Return a group with other hosts.

    @param changed: by their names; L{None} for one that goes.
    """
    hosts = {each.name: each for each in group.hosts}
    if len(changed) == 1:
        [(name, host)] = changed.items()
        if host is not None and name in hosts:
            return group.withHost(host)
    for name, host in changed.items():
        if host is None:
            del hosts[name]
        else:
            hosts[name] = host
    return replace(group, hosts=tuple(hosts.values())) if changed else group


def _withGroup(service: ProxyService, items: Sequence[Item]) -> ProxyService:
    group = service.getGroup(items[0].key[1])
    made = _changed(group, _parts(_valuesOf(items)))
    return service if made is group else service.withGroup(made)


def _madeService(service: ProxyService, items: Sequence[Item]) -> ProxyService:
    values = _valuesOf(items)
    enabled = values.pop(GROUP, None)
    if enabled is not None and enabled != service.enabledGroup.name:
        service.getGroup(enabled)
        groups = tuple(replace(each, enabled=each.name == enabled) for each in service.groups)
        values = {"groups": groups, **values}
    changed: ProxyService = _changed(service, values)
    return changed


def _madeHost(there: ProxyHost | None, items: Sequence[Item]) -> ProxyHost | None:
    """
    Make a host of what there was; L{None} for none.
    """
    name, values = items[0].key[2], _valuesOf(items)
    if HOST in values:
        whole = values.pop(HOST)
        if whole is None:
            return None
        if isinstance(whole, ProxyHost):
            there = whole
        else:
            values = {**whole, **values}
    elif there is None:
        return None
    address = values.pop(ADDRESS, None)
    settings = _parts(values)
    if there is None:
        return ProxyHost.at(name, address, **settings)
    if address is not None and address != str(there.address):
        moved = ProxyHost.at(name, address)
        settings.update(ipOrHost=moved.ipOrHost, port=moved.port)
    host: ProxyHost = _changed(there, settings)
    return host


def _parts(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _part(name, value) for name, value in values.items()}


def _part(name: str, value: Any) -> Any:
    kind = _PARTS.get(name)
    if kind is None or value is None or isinstance(value, kind):
        return tuple(value) if isinstance(value, list) else value
    if not isinstance(value, dict):
        raise ModelError(f"it is {shown(value)}")
    return kind(**value)


def _changed(thing: Any, values: Mapping[str, Any]) -> Any:
    """
    Copy a thing with other values; return itself if they are the same.
    """
    given = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    differing = {name: value for name, value in given.items() if getattr(thing, name) != value}
    return replace(thing, **differing) if differing else thing
