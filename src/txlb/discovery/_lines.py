"""
Lists of hosts with one host a line.

A line has the address of a host, and after it settings as C{name=value}, with spaces between them::

    # a remark
    10.0.0.1:8080
    10.0.0.2:8080 name=web2 weight=2 state=drain
    unix:/run/web3.sock priority=1 service=web group=production

The last line ends with a newline, so that a file that is being written is not taken for a complete
one.
"""

from __future__ import annotations

from collections.abc import Iterator

from txlb.discovery._entries import (
    MAX_DOCUMENT,
    MAX_ENTRIES,
    DocumentError,
    GroupedEntries,
)
from txlb.errors import ModelError
from txlb.model import shown

#: The settings of a line that are numbers.
_NUMBERS = frozenset({"weight", "priority", "capacity"})

#: All settings of a line.
_WORDS = frozenset({"name", "state", "service", "group", *_NUMBERS})


def parseLines(data: bytes, before: GroupedEntries | None = None) -> GroupedEntries:
    """
    Read a list of hosts. A wrong line does not affect the others.

    @param before: what was in it before.
    @raise DocumentError: it is no list of hosts.
    """
    if len(data) > MAX_DOCUMENT:
        raise DocumentError(f"the list has more than {MAX_DOCUMENT} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise DocumentError("the list is no text in UTF-8") from None
    if text and not text.endswith("\n"):
        raise DocumentError("the last line has no newline, so the list may not be complete")
    lines = list(_entries(text))
    if len(lines) > MAX_ENTRIES:
        raise DocumentError(f"the list has more than {MAX_ENTRIES} hosts")
    return GroupedEntries((entry for _, entry in lines), (label for label, _ in lines), before)


def _entries(text: str) -> Iterator[tuple[str, object]]:
    for number, line in enumerate(text.split("\n"), 1):
        words = line.partition("#")[0].split()
        if words:
            try:
                yield f"line {number}", _entry(words)
            except ModelError as error:
                yield f"line {number}", error


def _entry(words: list[str]) -> dict[str, object]:
    """
    Return the entry of a line.

    @raise ModelError: it is none.
    """
    entry: dict[str, object] = {"address": words[0]}
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if not equals or name not in _WORDS or name in entry:
            raise ModelError(
                f"{shown(word)} is no setting; write name=value, with one of "
                f"{', '.join(sorted(_WORDS))}, each once"
            )
        number = name in _NUMBERS and value.isascii() and value.isdigit() and len(value) < 10
        entry[name] = int(value) if number else value
    return entry
