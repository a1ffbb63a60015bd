"""
C{txlb status}: how a balancer stands.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import fields
from typing import Any, TypeVar

from txlb.admin._status import statusText
from txlb.cli._client import Client, Row, environmentColours
from txlb.cli._command import NO_ANSWER, OK, Command, Failed
from txlb.cli._where import addSocketOptions, findSocket
from txlb.pool import GroupSnapshot, HostSnapshot, ServiceSnapshot

_Snapshot = TypeVar("_Snapshot")

#: The colours of states: SGR codes of terminals.
GREEN, RED, YELLOW, GREY = "32", "31", "33", "90"

_COLOURS = {
    "up": GREEN,
    "unchecked": GREY,
    "full": YELLOW,
    "starting": YELLOW,
    "coming-up": YELLOW,
    "going-down": YELLOW,
    "standby": GREY,
    "trial": YELLOW,
    "due": YELLOW,
    "drain": YELLOW,
    "maintenance": GREY,
    "leaving": GREY,
}


def colourOf(state: str) -> str:
    """
    The colour of a host's state; what is not known here needs somebody's attention.
    """
    return _COLOURS.get(state, RED)


def paint(state: str, part: str) -> str:
    """
    A part of a line in the colour of a host's state.
    """
    return f"\x1b[{colourOf(state)}m{part}\x1b[0m" if part else part


def ofKind(rows: Iterable[Row], kind: str, **like: object) -> list[Row]:
    """
    The rows of one kind.

    @param like: what they have besides.
    """
    return [
        row
        for row in rows
        if row.get("row") == kind and all(row.get(key) == value for key, value in like.items())
    ]


def nested(rows: list[Row]) -> dict[str, Any]:
    """
    A status as one value: services in it, groups in those, hosts in those.
    """
    hosts: dict[tuple[str, str], list[Row]] = {}
    for row in ofKind(rows, "host"):
        hosts.setdefault((row["service"], row["group"]), []).append(row)
    groups: dict[str, list[Row]] = {}
    for row in ofKind(rows, "group"):
        inner = hosts.get((row["service"], row["name"]), [])
        group = {**_bare(row), "hosts": [_bare(host) for host in inner]}
        groups.setdefault(row["service"], []).append(group)
    files = ofKind(rows, "file")
    return {
        "listeners": {row["name"]: row["addresses"] for row in ofKind(rows, "listener")},
        "services": [
            {**_bare(row), "groups": groups.get(row["name"], [])} for row in ofKind(rows, "service")
        ],
        "file": files[0]["path"] if files else None,
        "changes": files[0]["changes"] if files else [],
    }


def _bare(row: Row) -> Row:
    return {key: value for key, value in row.items() if key not in {"row", "service", "group"}}


def snapshots(status: dict[str, Any]) -> list[ServiceSnapshot]:
    """
    The services of a status as the balancer has them.

    @raise Failed: they are those of another version of txlb.
    """
    try:
        return [
            _made(
                ServiceSnapshot,
                {
                    **service,
                    "groups": tuple(
                        _made(
                            GroupSnapshot,
                            {
                                **group,
                                "hosts": tuple(_made(HostSnapshot, h) for h in group["hosts"]),
                            },
                        )
                        for group in service["groups"]
                    ),
                },
            )
            for service in status["services"]
        ]
    except (KeyError, TypeError):
        raise Failed(
            "the balancer that runs is another version of txlb; --json shows what it says",
            NO_ANSWER,
        ) from None


def _made(kind: type[_Snapshot], row: Row) -> _Snapshot:
    # What a newer balancer tells besides is left out.
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    values = {key: value for key, value in row.items() if key in known}
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print it as JSON, for programs")
    addSocketOptions(parser)


def _run(arguments: argparse.Namespace) -> int:
    with Client(findSocket(arguments)) as client:
        status = nested(client.rows("Status"))
    if arguments.json:
        print(json.dumps(status, indent=2))
        return OK
    colours = {"paint": paint} if environmentColours(sys.stdout) else {}
    print(
        statusText(
            status["listeners"], snapshots(status), status["file"], status["changes"], **colours
        )
    )
    return OK


STATUS = Command(
    "status",
    "show how a balancer stands",
    "Shows the listeners, services, groups and hosts of a balancer that runs, and what has been "
    "changed since its file was read.",
    _configure,
    _run,
)
