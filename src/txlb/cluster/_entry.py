"""
Entries of the log of shared changes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from txlb.cluster._items import Item, itemsOf

#: Bytes of an entry at most.
MAX_ENTRY = 256 * 1024

#: Items of an entry at most, and things whose values it takes back.
MAX_ITEMS = 5000

#: Characters of a name at most.
MAX_NAME = 255

#: Names of a thing at most: those of a service, a group and a host.
MOST_NAMES = 3

#: Seconds of a day: the longest time that a drain may be given.
DAY = 86_400.0

#: The author of a change whose author can't be read.
UNKNOWN = "cluster"

#: The names of a service, a group and a host.
Place = tuple[str, str, str]

#: The times that connections of hosts have to end, and whether they end at once.
Endings = Mapping[Place, tuple[float | None, bool]]


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One shared change.

    @ivar id: tells it from all others.
    @ivar member: the member that has committed it.
    @ivar by: the user that has made it.
    @ivar when: the time, in seconds since 1970.
    @ivar term: the term of the leader in which it was committed.
    @ivar items: what it sets.
    @ivar endings: how connections end.
    @ivar forgotten: the names of things whose older values, and those of the things in them, are
        taken back before C{items} are set: of a service, a group or a host; no name for all.
    @ivar wrong: a sentence for each part that can't be read.
    """

    id: str
    member: str
    by: str
    when: float
    term: int
    items: tuple[Item, ...]
    endings: Endings
    forgotten: tuple[tuple[str, ...], ...] = ()
    wrong: tuple[str, ...] = ()

    def encoded(self) -> bytes:
        """
        Write it.
        """
        told = {
            "id": self.id,
            "member": self.member,
            "by": self.by,
            "when": self.when,
            "term": self.term,
            "items": [each.plain for each in self.items],
            "endings": [[*key, *value] for key, value in self.endings.items()],
        }
        if self.forgotten:
            told["forgotten"] = [list(each) for each in self.forgotten]
        return json.dumps(told).encode()

    @classmethod
    def of(cls, data: bytes) -> Entry:
        """
        Read one. Parts that are wrong are left out and named: all members leave out the same.
        """
        wrong: list[str] = []
        try:
            told = json.loads(data) if len(data) <= MAX_ENTRY else None
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            told = {}
            wrong.append("it is no change, or too long")
        by = told.get("by")
        right = isinstance(by, str) and 0 < len(by) <= MAX_NAME and by.isprintable()
        return cls(
            str(told.get("id", ""))[:MAX_NAME],
            str(told.get("member", ""))[:MAX_NAME],
            str(by) if right else UNKNOWN,
            _number(told.get("when")),
            int(_number(told.get("term"))),
            tuple(itemsOf(told.get("items"), wrong))[:MAX_ITEMS],
            dict(_endingsOf(told.get("endings"))),
            tuple(_keysOf(told.get("forgotten")))[:MAX_ITEMS],
            tuple(wrong),
        )


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0
    return value if 0 <= value < 2**62 else 0


def _endingsOf(told: Any) -> Iterator[tuple[Place, tuple[float | None, bool]]]:
    for each in told if isinstance(told, list) else ():
        if isinstance(each, list) and len(each) == 5:
            service, group, host, deadline, force = each
            named = all(isinstance(name, str) for name in (service, group, host))
            if named and isinstance(force, bool) and (deadline is None or _isTime(deadline)):
                yield (service, group, host), (deadline, force)


def _keysOf(told: Any) -> Iterator[tuple[str, ...]]:
    for each in told if isinstance(told, list) else ():
        if isinstance(each, list) and len(each) <= MOST_NAMES:
            if all(isinstance(name, str) for name in each):
                yield tuple(each)


def _isTime(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) and 0 <= value <= DAY
