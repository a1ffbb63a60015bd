"""
HAProxy's statistics as CSV.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from txlb.admin.metrics._columns import COLUMNS, StatRow
from txlb.admin.metrics._haproxyview import HAProxyView

if TYPE_CHECKING:
    from txlb.admin._target import Target

#: The content type of the CSV of HAProxy's page of statistics.
CSV_TYPE = "text/plain; charset=utf-8"

#: Whether a text has no comma, quote and end of a line.
_PLAIN = re.compile(r'[^,"\r\n]*\Z').match

_PLACES = {column: place for place, column in enumerate(COLUMNS)}

#: Lines that are made at a time.
AT_ONCE = 20


def statistics(target: Target) -> Iterator[bytes]:
    """
    Write what C{show stat} of HAProxy 2.6 writes, with the same columns: services are
    frontends, groups are backends C{service:group}, and hosts are servers.

    @return: slices of the text, of which some may be empty; each takes less than a millisecond.
    """
    view = HAProxyView(target)
    for _ in view.collecting():
        yield b""
    yield f"# {','.join(COLUMNS)}\n".encode()
    names = [group.service for group in view.scene.groups]
    for frontend in view.frontends:
        yield _lines([frontend])
        for service, servers, backend in zip(names, view.servers, view.backends, strict=True):
            if service != frontend["pxname"]:
                continue
            rows = [*servers, backend]
            for begin in range(0, len(rows), AT_ONCE):
                yield _lines(rows[begin : begin + AT_ONCE])


def _lines(rows: Iterable[StatRow]) -> bytes:
    lines = []
    for row in rows:
        # Most columns are empty.
        cells = [""] * len(COLUMNS)
        for column, value in row.items():
            cells[_PLACES[column]] = str(value) if isinstance(value, int) else _cell(value)
        lines.append(",".join(cells))
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


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
