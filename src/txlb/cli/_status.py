"""
C{txlb status}: the status of a balancer.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from txlb.admin import findCommand
from txlb.cli._client import Client, Row, environmentColours
from txlb.cli._command import NO_ANSWER, OK, Command, Failed
from txlb.cli._listed import ListedCommand
from txlb.cli._where import SYSTEM_SOCKETS, VARIABLE, findSockets

if TYPE_CHECKING:
    from txlb.pool import ServiceSnapshot

_Snapshot = TypeVar("_Snapshot")

#: Seconds that each of several balancers has for its answer.
ALL_PATIENCE = 10.0

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
    # Of processes.
    "manages": GREEN,
    "serves": GREEN,
    "starts": YELLOW,
    "ends": GREY,
    "stops": GREY,
}


def colourOf(state: str) -> str:
    """
    Return the colour of a host's state. A state that is not known here is red.
    """
    return _COLOURS.get(state, RED)


def paint(state: str, part: str) -> str:
    """
    Paint a part of a line in the colour of a host's state.
    """
    return f"\x1b[{colourOf(state)}m{part}\x1b[0m" if part else part


def ofKind(rows: Iterable[Row], kind: str, **like: object) -> list[Row]:
    """
    Return the rows of one kind.

    @param like: fields that they have, with their values.
    """
    return [
        row
        for row in rows
        if row.get("row") == kind and all(row.get(key) == value for key, value in like.items())
    ]


def nested(rows: list[Row]) -> dict[str, Any]:
    """
    Make one value of a status: services in it, groups in those, hosts in those.
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
        "served": {
            row["name"]: {"by": row["served"], "why": row["why"]}
            for row in ofKind(rows, "listener")
            if "served" in row
        },
        "services": [
            {**_bare(row), "groups": groups.get(row["name"], [])} for row in ofKind(rows, "service")
        ],
        "certificates": [row["text"] for row in ofKind(rows, "certificate")],
        "cluster": [row["text"] for row in ofKind(rows, "cluster")],
        "processes": [_without(row, "row") for row in ofKind(rows, "process")],
        "file": files[0]["path"] if files else None,
        "changes": files[0]["changes"] if files else [],
        # A balancer of an earlier version does not tell.
        "edited": files[0].get("edited", False) if files else False,
        "inFile": files[0].get("inFile", []) if files else [],
    }


def _bare(row: Row) -> Row:
    return _without(row, "row", "service", "group")


def _without(row: Row, *names: str) -> Row:
    return {key: value for key, value in row.items() if key not in names}


def snapshots(status: dict[str, Any]) -> list[ServiceSnapshot]:
    """
    Make snapshots of the services of a status.

    @raise Failed: the status is that of another version of txlb.
    """
    from txlb.pool import GroupSnapshot, HostSnapshot, ServiceSnapshot  # noqa: PLC0415 - as below

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
    # Fields that only a newer balancer has are left out.
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    values = {key: value for key, value in row.items() if key in known}
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _show(rows: list[Row], asJSON: bool) -> int:
    status = nested(rows)
    if asJSON:
        print(json.dumps(status, indent=2))
    else:
        _print(status)
    return OK


def _print(status: dict[str, Any]) -> None:
    """
    Print a status as a table.
    """
    # It brings the model and the pool, which no answer that is mere rows needs.
    from txlb.admin._status import statusText  # noqa: PLC0415  (see above)

    colours = {"paint": paint} if environmentColours(sys.stdout) else {}
    print(
        statusText(
            status["listeners"],
            snapshots(status),
            status["file"],
            status["changes"],
            status["inFile"] if status["edited"] else None,
            processes=status["processes"],
            passed={name: each["why"] for name, each in status["served"].items()},
            certificates=status["certificates"],
            **colours,
        )
    )
    for line in status["cluster"]:
        print(line)


class _Status:
    """
    C{txlb status}, of one balancer or of several.
    """

    def __init__(self) -> None:
        self._entry = findCommand("status")
        self._listed = ListedCommand(self._entry, _show, several=True)

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """
        Add the arguments to a parser.
        """
        self._listed.configure(parser)
        parser.add_argument(
            "--all",
            action="store_true",
            help="show several balancers, one after the other: those of each --socket, or all of "
            f"this machine: ${VARIABLE}, the usual paths, and {SYSTEM_SOCKETS}",
        )

    def run(self, arguments: argparse.Namespace) -> int:
        """
        Ask one balancer or all of them, and show the answers. One that does not answer does not
        keep others from being shown; it makes the exit status.
        """
        if not arguments.all:
            return self._listed.run(arguments)
        answers: list[dict[str, Any]] = []
        result = OK
        for path in findSockets(arguments):
            try:
                with Client(path, ALL_PATIENCE) as client:
                    rows = client.rows(self._entry.wireName, **self._listed.values(arguments))
                answer = {"socket": path, **nested(rows)}
            except Failed as error:
                result = result or error.status
                answer = {"socket": path, "error": str(error)}
            answers.append(answer)
            if not arguments.json:
                print(f"{path}:")
                if "error" in answer:
                    sys.stdout.flush()
                    print(f"{arguments.prog}: {answer['error']}", file=sys.stderr)
                else:
                    _print(answer)
        if arguments.json:
            print(json.dumps(answers, indent=2))
        return result


_ENTRY = findCommand("status")
_BOTH = _Status()

STATUS = Command(_ENTRY.words, _ENTRY.summary, _ENTRY.doc, _BOTH.configure, _BOTH.run)
