"""
C{txlb events}: the last events, and those to come.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable

from txlb.admin import findCommand
from txlb.cli._client import PATIENCE, Client, Row
from txlb.cli._command import OK, Command
from txlb.cli._status import ofKind
from txlb.cli._where import addSocketOptions, findSocket

#: Seconds that the balancer is asked to wait for the next event; then it is asked
#: again.
WAIT = 20


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-f", "--follow", action="store_true", help="go on with those that are to come"
    )
    parser.add_argument(
        "-n",
        "--lines",
        metavar="COUNT",
        type=_count,
        default=20,
        help="how many of those that have been; by default 20, at most 1000",
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each")
    addSocketOptions(parser)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text[:9]) > 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of events; say 0 to 1000")
    return int(text)


def _run(arguments: argparse.Namespace) -> int:
    with Client(findSocket(arguments), PATIENCE + WAIT) as client:
        rows = client.rows("Events", after=str(-max(arguments.lines, 1)))
        last = _show(rows if arguments.lines else ofKind(rows, "last"), 0, arguments.json)
        while arguments.follow:
            last = _show(
                client.rows("Events", after=str(last), wait=str(WAIT)), last, arguments.json
            )
    return OK


def _show(rows: Iterable[Row], last: int, asJSON: bool) -> int:
    """
    Print events.

    @param last: the number of the last one that was printed, 0 for none.
    @return: that of the last one that is printed now.
    """
    for row in rows:
        if row.get("row") == "last":
            return int(row["number"])
        if last and row["number"] > last + 1:
            missed = row["number"] - last - 1
            print(
                json.dumps({"row": "missed", "count": missed}) if asJSON else f"… {missed} missed"
            )
        last = row["number"]
        print(json.dumps(row) if asJSON else row["text"], flush=True)
    return last


_ENTRY = findCommand("events")

EVENTS = Command(
    _ENTRY.words,
    _ENTRY.summary,
    f"{_ENTRY.doc} With --follow events to come are shown too, until Ctrl-C.",
    _configure,
    _run,
)
