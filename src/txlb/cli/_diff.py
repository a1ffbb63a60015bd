"""
C{txlb diff}: the commands C{diff} and C{plan} of the list as one.
"""

from __future__ import annotations

import argparse
import json
import os

from txlb.admin import findCommand
from txlb.cli._client import Client
from txlb.cli._command import COMPLETES, DIFFERENT, OK, Command
from txlb.cli._where import addSocketOptions, findSocket


def _configure(parser: argparse.ArgumentParser) -> None:
    file = parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help="tell what a reload would change if this file took the place of the balancer's own. "
        "The balancer reads it",
    )
    setattr(file, COMPLETES, ("file",))
    parser.add_argument(
        "--discard",
        action="store_true",
        help="tell what a reload would change that undoes what was changed live",
    )
    parser.add_argument(
        "--exit-code",
        action="store_true",
        help=f"end with status {DIFFERENT} if anything differs",
    )
    parser.add_argument("--json", action="store_true", help="print the changes as JSON")
    addSocketOptions(parser)


def _run(arguments: argparse.Namespace) -> int:
    file = "" if arguments.file is None else os.path.abspath(arguments.file)
    with Client(findSocket(arguments)) as client:
        if file or arguments.discard:
            rows = client.rows("Plan", file=file, discard=str(arguments.discard))
        else:
            rows = client.rows("Diff")
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        for row in rows:
            print(row["text"])
    # Hosts that sources have found are no difference between the balancer and its file.
    differs = any(row["row"] != "found" for row in rows)
    return DIFFERENT if differs and arguments.exit_code else OK


_ENTRY = findCommand("diff")

DIFF = Command(_ENTRY.words, _ENTRY.summary, _ENTRY.doc, _configure, _run)
