"""
Changes of services as plain values, which all members can make.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from txlb.errors import TxlbError
from txlb.model import (
    CLONES,
    Change,
    ChangeKind,
    Discovery,
    HealthCheck,
    ProxyGroup,
    ProxyHost,
    ProxyService,
    changesBetween,
    shown,
)
from txlb.model.kinds import SecretText
from txlb.model.settings import settingsOf

#: The item that adds a host, or removes it.
HOST = "host"

#: The item that says where a host is.
ADDRESS = "address"

#: The item that says which group of a service gets the connections.
GROUP = "group"

_HOST_SETTINGS = frozenset(settingsOf(ProxyHost)) - {"name", "address"}
_GROUP_SETTINGS = frozenset(settingsOf(ProxyGroup)) - {"name", "enabled"}
_SERVICE_SETTINGS = (frozenset(settingsOf(ProxyService)) | {"allow", "deny"}) - {"name"}

#: The settings that can be shared, by the number of names that their things have.
_SETTINGS: Mapping[int, frozenset[str]] = {
    1: _SERVICE_SETTINGS | {GROUP},
    2: _GROUP_SETTINGS | {"check", "discover"},
    3: _HOST_SETTINGS | {"check", HOST, ADDRESS},
}


@dataclass(frozen=True, slots=True)
class Item:
    """
    One setting of a service, a group or a host, and its value for all members.

    @ivar key: the names of the service, and of the group and the host.
    @ivar setting: its name, or L{HOST}, L{ADDRESS} or L{GROUP}.
    @ivar value: as JSON can hold it; or as the model has it, in an item that is made here only.
    """

    key: tuple[str, ...]
    setting: str
    value: Any

    @property
    def plain(self) -> list[Any]:
        """
        The item as JSON can hold it.
        """
        return [list(self.key), self.setting, self.value]

    @classmethod
    def of(cls, told: Any) -> Item:
        """
        Read an item. Its value is checked when it is used.

        @raise ValueError: it is none.
        """
        key, setting, value = told
        if not (isinstance(key, list) and all(isinstance(each, str) for each in key)):
            raise ValueError(f"{shown(key)} does not name a service, a group or a host")
        if not isinstance(setting, str) or setting not in _SETTINGS.get(len(key), ()):
            raise ValueError(f"{shown(setting)} of {'/'.join(key)} is nothing that members share")
        return cls(tuple(key), setting, value)


def itemsBetween(
    before: Iterable[ProxyService], after: Sequence[ProxyService]
) -> tuple[list[Item], list[Change]]:
    """
    Return what differs in the settings that members share, and the other changes. Listeners,
    clones, and which hosts sources find, are those of each member, and in neither.

    @raise TxlbError: a value can't be shared.
    """
    services = {each.name: each for each in after}
    found: dict[tuple[tuple[str, ...], str], Item] = {}
    rest = []
    for change in changesBetween(before, after).changes:
        if change.kind is ChangeKind.REORDERED or change.thing == "listener":
            continue
        if _isFound(change) or _isOfClone(change, services):
            continue
        item = _itemOf(change, services)
        if item is None:
            rest.append(change)
        else:
            found[item.key, item.setting] = item
    return list(found.values()), rest


def _isFound(change: Change) -> bool:
    if change.kind is ChangeKind.CHANGED:
        return False
    sides = change.before, change.after
    return any(isinstance(each, ProxyHost) and each.origin for each in sides)


def _isOfClone(change: Change, services: Mapping[str, ProxyService]) -> bool:
    """
    Tell whether a change is about a clone, which is a process of one machine.
    """
    if change.thing != "host" or change.kind is not ChangeKind.CHANGED:
        return False
    service, group, host = change.key
    return services[service].getGroup(group).getHost(host).origin == CLONES


def _itemOf(change: Change, services: Mapping[str, ProxyService]) -> Item | None:
    key, kind = change.key, change.kind
    if change.thing == "host" and kind is not ChangeKind.CHANGED:
        return _hostItem(change)
    if kind is ChangeKind.SWITCHED:
        return Item(key, GROUP, change.after)
    name = change.setting.partition(".")[0]
    if kind is not ChangeKind.CHANGED or name not in _SETTINGS.get(len(key), ()):
        return None
    thing: Any = services[key[0]]
    if len(key) > 1:
        thing = thing.getGroup(key[1])
    if len(key) > 2:
        thing = thing.getHost(key[2])
    return Item(key, name, _plain(getattr(thing, name), f"{name} of {'/'.join(key)}"))


def _hostItem(change: Change) -> Item | None:
    key, host = change.key, change.after
    if change.kind is ChangeKind.REMOVED:
        return Item(key, HOST, None)
    if change.kind is ChangeKind.MOVED:
        return Item(key, ADDRESS, str(host))
    if host.tls is not None:
        return None
    values = {
        name: _plain(getattr(host, name), f"{name} of {'/'.join(key)}")
        for name in (*sorted(_HOST_SETTINGS), "check")
    }
    return Item(key, HOST, {ADDRESS: str(host.address), **values})


def _plain(value: Any, what: str) -> Any:
    if isinstance(value, SecretText):
        raise TxlbError(
            f"{what} is a secret, which is not written to etcd; write it into the file of each "
            "member, and reload each"
        )
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (tuple, list)):
        return [_plain(each, what) for each in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(each, what) for name, each in value.items()}
    if isinstance(value, (HealthCheck, Discovery)):
        return {
            each.name: _plain(getattr(value, each.name), what) for each in dataclasses.fields(value)
        }
    raise TxlbError(f"{what} is {shown(value)}, which etcd can't hold for the other members")


# Taking them back


def formerItems(gone: Iterable[Item], find: Callable[[tuple[str, ...]], Any]) -> Iterator[Item]:
    """
    Yield what makes things again what they would be without items.

    @param gone: the items.
    @param find: returns the service, the group or the host of a key as it is without shared
        values; L{None} if there is none.
    """
    for item in gone:
        thing = find(item.key)
        if item.setting == HOST:
            yield Item(item.key, HOST, thing)
        elif thing is None:
            continue
        elif item.setting == GROUP:
            yield Item(item.key, GROUP, thing.enabledGroup.name)
        elif item.setting == ADDRESS:
            yield Item(item.key, ADDRESS, str(thing.address))
        else:
            yield Item(item.key, item.setting, getattr(thing, item.setting))


def itemsOf(told: Any, wrong: list[str]) -> Iterator[Item]:
    """
    Read items.

    @param wrong: gets a sentence for each that is none.
    """
    for each in told if isinstance(told, list) else ():
        try:
            yield Item.of(each)
        except (ValueError, TypeError) as error:
            wrong.append(str(error))
