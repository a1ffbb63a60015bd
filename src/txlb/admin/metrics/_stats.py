"""
HAProxy's statistics as CSV.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from txlb.admin.metrics._columns import COLUMNS, StatRow
from txlb.admin.metrics._haproxyview import HAProxyView
from txlb.admin.metrics._servers import SERVER_COLUMNS, SERVER_CONSTANTS, Servers

if TYPE_CHECKING:
    from txlb.admin._target import Target

#: The content type of the CSV of HAProxy's page of statistics.
CSV_TYPE = "text/plain; charset=utf-8"

#: Whether a text has no comma, quote and end of a line.
_PLAIN = re.compile(r'[^,"\r\n]*\Z').match

_PLACES = {column: place for place, column in enumerate(COLUMNS)}

#: The columns of servers whose texts may have anything in them.
_TEXTS = {"pxname", "svname", "last_chk", "check_desc", "addr"}

#: The columns that not every server has.
_OPTIONAL = (
    *("smax", "slim", "chkfail", "chkdown", "downtime", "rate", "rate_max"),
    *("check_status", "check_duration", "check_rise", "check_fall"),
)

#: The line of a server, with a place for each of L{SERVER_COLUMNS}.
_PATTERN = ",".join(
    "%s" if name in SERVER_COLUMNS else str(SERVER_CONSTANTS.get(name, "")) for name in COLUMNS
)

#: The columns of servers in the order of the line.
_DIFFERING = [name for name in COLUMNS if name in SERVER_COLUMNS]

#: Lines that are written at a time.
AT_ONCE = 200


def statistics(target: Target) -> Iterator[bytes]:
    """
    Write what C{show stat} of HAProxy 2.6 writes, with the same columns: services are
    frontends, groups are backends C{service:group}, and hosts are servers.

    @return: slices of the text, of which some may be empty; each takes less than a millisecond.
    """
    view = HAProxyView(target)
    for _ in view.collecting():
        yield b""
    lines: list[str] = []
    for servers in view.servers:
        lines += _serverLines(servers)
        yield b""
    yield f"# {','.join(COLUMNS)}\n".encode()
    backends: dict[object, list[str]] = {}
    begin = 0
    for group, backend in zip(view.scene.groups, view.backends, strict=True):
        end = begin + len(group.hosts)
        backends.setdefault(group.service, []).extend((*lines[begin:end], _line(backend)))
        begin = end
        yield b""
    for frontend in view.frontends:
        yield _encoded([_line(frontend)])
        mine = backends.get(frontend["pxname"], [])
        for begin in range(0, len(mine), AT_ONCE):
            yield _encoded(mine[begin : begin + AT_ONCE])


def _encoded(lines: Iterable[str]) -> bytes:
    return "".join(lines).encode("utf-8", "replace")


def _line(row: StatRow) -> str:
    # Most columns are empty.
    cells = [""] * len(COLUMNS)
    for column, value in row.items():
        cells[_PLACES[column]] = str(value) if isinstance(value, int) else _cell(value)
    return f"{','.join(cells)}\n"


def _serverLines(servers: Servers) -> Iterable[str]:
    """
    Return the lines of some servers. There may be thousands of them, so what is the same in each
    is in the pattern of a line.
    """
    columns = []
    for name in _DIFFERING:
        values: Iterable[object] = servers.column(name)
        if name in _TEXTS:
            values = map(_cell, values)
        elif name in _OPTIONAL:
            values = ["" if value is None else value for value in values]
        columns.append(values)
    return [f"{_PATTERN % values}\n" for values in zip(*columns, strict=True)]


def _cell(value: object) -> str:
    """
    Quote a value as HAProxy does: if it has a comma, a quote or an end of a line.
    """
    if value is None:
        return ""
    text = str(value)
    if not _PLAIN(text):
        return f'"{text.replace(chr(34), chr(34) * 2)}"'
    return text
