"""
Rules that are no kinds of values: for names, lists, mappings and clocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from txlb.errors import DuplicateName, ModelError, shortened

Item = TypeVar("Item")

MAX_NAME_LENGTH = 255


def shown(value: object) -> str:
    """
    Render a value for a message, cut if it is long.
    """
    return shortened(repr(value))


def checkName(kind: str, name: object) -> str:
    """
    Check a name. It has 1 to 255 printable characters, none of them a slash (names are
    joined by slashes in C{service/group/host}), and no space at either end.

    @param kind: the kind of the thing that has the name, for the message.
    @raise ModelError: it breaks the rule.
    """
    if not isinstance(name, str):
        raise ModelError(
            f"the name of a {kind} is {shown(name)}; it is a text of 1 to {MAX_NAME_LENGTH} "
            "characters"
        )
    if not name:
        raise ModelError(f"a {kind} needs a name, of 1 to {MAX_NAME_LENGTH} characters")
    if len(name) > MAX_NAME_LENGTH:
        raise ModelError(
            f"the name of the {kind} {name[:20]!r}… is {len(name)} characters long; "
            f"at most {MAX_NAME_LENGTH} are allowed"
        )
    if not name.isprintable() or "/" in name or name != name.strip():
        raise ModelError(
            f"{name!r} is no name for a {kind}: printable characters without a slash, "
            "and no space at either end"
        )
    return name


def checkItems(value: object, kind: type[Item], what: str) -> tuple[Item, ...]:
    """
    Read a list of things of one kind.

    @param what: the name of the list, for the message.
    @raise ModelError: C{value} is no list, or has something else in it.
    """
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise ModelError(f"{what} is {shown(value)}; it is a list of {kind.__name__}s")
    items = tuple(value)
    for each in items:
        if not isinstance(each, kind):
            raise ModelError(f"{what} has {shown(each)} in it; each is a {kind.__name__}")
    return items


def checkMapping(value: object, what: str) -> dict[str, object]:
    """
    Read values by name.

    @raise ModelError: C{value} has no values by name.
    """
    if not isinstance(value, Mapping):
        raise ModelError(f"{what} is {shown(value)}; it is a dictionary of values by name")
    return dict(value)


def checkClock(value: object) -> None:
    """
    Check that a value is a clock.

    @raise ModelError: it is none.
    """
    if not callable(value):
        raise ModelError(f"seconds is {shown(value)}; it is a clock, such as time.monotonic")


def checkUnique(kind: str, names: Iterable[str], where: str) -> None:
    """
    Check that each name is there once.

    @param kind: the kind of the things that have the names, for the message.
    @param where: the owner of the things, likewise.
    @raise DuplicateName: one is there twice.
    """
    twice = firstTwice(names)
    if twice is not None:
        raise DuplicateName(
            f"{where} has two {kind}s that are called {twice!r}; each needs a name of its own"
        )


def firstTwice(names: Iterable[str]) -> str | None:
    """
    Find the first name that is there for a second time; L{None} if there is none.
    """
    found = list(names)
    seen: set[str] = set()
    if len(set(found)) == len(found):
        # There may be thousands.
        return None
    for name in found:
        if name in seen:
            return name
        seen.add(name)
    return None
