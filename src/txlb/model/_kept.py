"""
Keeping the values that are equal.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from txlb.model._groups import ProxyGroup
from txlb.model._services import ProxyService

#: What is inside of a service and of a group.
_INSIDE = {ProxyService: "groups", ProxyGroup: "hosts"}


def keptWhereEqual(
    before: Iterable[ProxyService], after: Iterable[ProxyService]
) -> tuple[ProxyService, ...]:
    """
    Return services that say the same as C{after}, and are the very values of C{before}
    wherever these are equal: services, groups and hosts, by their names.

    A file that is read again gives new values for everything. If the equal ones are
    the same, a comparison of thousands of hosts costs little.
    """
    return _kept(tuple(before), tuple(after))


def _kept(before: Sequence[Any], after: Sequence[Any]) -> tuple[Any, ...]:
    known = {each.name: each for each in before}
    return tuple(_keptOne(known.get(each.name), each) for each in after)


def _keptOne(before: Any, after: Any) -> Any:
    if before is None or before is after:
        return after
    if before == after:
        return before
    inside = _INSIDE.get(type(after))
    if inside is None:
        return after
    present = getattr(after, inside)
    kept = _kept(getattr(before, inside), present)
    # To make a value is to check it as well.
    return after if all(map(operator.is_, kept, present)) else replace(after, **{inside: kept})
