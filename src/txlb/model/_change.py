"""
Differences between two configurations, as data and in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from txlb.model._changekind import ChangeKind
from txlb.model._groups import ProxyGroup
from txlb.model._hosts import ProxyHost
from txlb.model._plain import plain, shownValue
from txlb.model._services import ProxyService


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
