"""
Differences between two configuration files, except those of their services.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from txlb.model import Change, ChangeKind, settingChanges

if TYPE_CHECKING:
    from txlb.config._adminsettings import AdminSettings

#: The settings that a running balancer takes over, by the thing and the beginning of the
#: setting's name. Every other takes a restart, and a plan says so.
LIVE = (
    ("user", ""),
    ("token", ""),
    ("sources", ""),
    ("manager", "graceTime"),
    ("manager", "configCheck"),
    ("manager", "heartbeat"),
    ("manager", "hostCheck"),
    ("manager", "maxChecks"),
)

#: These fields of a configuration say nothing about the balancer, or are
#: compared elsewhere.
_WITHOUT = frozenset({"path", "services", "admin", "notes", "root", "_source"})


class Compared(Protocol):
    """
    A L{txlb.config.Configuration}: a dataclass, whose fields are compared.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @property
    def admin(self) -> AdminSettings:
        """
        The ways to administer the balancer, and its users.
        """


def settingsBetween(old: Compared, new: Compared) -> list[Change]:
    """
    Compare everything in two files except their services, by the fields of the values.
    """
    found: list[Change] = []
    for field in dataclasses.fields(new):
        if field.name not in _WITHOUT:
            found += _value(field.name, getattr(old, field.name), getattr(new, field.name))
    for field in dataclasses.fields(new.admin):
        if field.name not in {"users", "tokens", "sources", "usersAt"}:
            found += _value(
                field.name, getattr(old.admin, field.name), getattr(new.admin, field.name)
            )
    found += _named("user", old.admin.users, new.admin.users)
    found += _named("token", old.admin.tokens, new.admin.tokens)
    found += _sources(old, new)
    return [change if _isLive(change) else replace(change, restart=True) for change in found]


def _value(thing: str, before: Any, after: Any) -> Iterator[Change]:
    if before == after:
        return
    if before is None:
        yield Change(ChangeKind.ADDED, thing, (), "", None, after)
    elif after is None:
        yield Change(ChangeKind.REMOVED, thing, (), "", before)
    elif dataclasses.is_dataclass(after):
        yield from settingChanges(thing, (), before, after)
    else:
        yield Change(ChangeKind.CHANGED, thing, (), thing, before, after)


def _named(thing: str, old: Iterable[Any], new: Iterable[Any]) -> Iterator[Change]:
    before = {each.name: each for each in old}
    after = {each.name: each for each in new}
    for name, each in before.items():
        if name not in after:
            yield Change(ChangeKind.REMOVED, thing, (name,), "", each)
    for name, each in after.items():
        if name not in before:
            yield Change(ChangeKind.ADDED, thing, (name,), "", None, each)
        else:
            yield from settingChanges(thing, (name,), before[name], each)


def _sources(old: Compared, new: Compared) -> Iterator[Change]:
    """
    Tell a change of the sources of logins, or of their order, as one.
    """
    before, after = ((each.admin.sources, each.admin.usersAt) for each in (old, new))
    if before != after:
        shown = [
            ", ".join(_shownSource(each) for each in sources) for sources, _ in (before, after)
        ]
        yield Change(ChangeKind.CHANGED, "sources", (), "sources", shown[0], shown[1])


def _shownSource(source: Any) -> str:
    settings = " ".join(
        f"{field.name}={getattr(source, field.name)}"
        for field in dataclasses.fields(source)
        if getattr(source, field.name) != field.default
    )
    return f"{type(source).__name__} {settings}"


def _isLive(change: Change) -> bool:
    return any(
        change.thing == thing and change.setting.startswith(setting) for thing, setting in LIVE
    )
