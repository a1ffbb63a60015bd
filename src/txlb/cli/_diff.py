"""
C{txlb diff}: what a reload would change.
"""

from __future__ import annotations

import argparse
import json
import os

from txlb.cli._client import Client
from txlb.cli._command import DIFFERENT, OK, Command
from txlb.cli._where import addSocketOptions, findSocket


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help="another file; by default the balancer's own. The balancer reads it",
    )
    parser.add_argument(
        "--discard",
        action="store_true",
        help="as a reload would that undoes what was changed live and is not in the file",
    )
    parser.add_argument(
        "--exit-code",
        action="store_true",
        help=f"end with status {DIFFERENT} where something would change",
    )
    parser.add_argument("--json", action="store_true", help="print the changes as JSON")
    addSocketOptions(parser)


def _run(arguments: argparse.Namespace) -> int:
    file = "" if arguments.file is None else os.path.abspath(arguments.file)
    with Client(findSocket(arguments)) as client:
        rows = client.rows("Plan", file=file, discard=str(arguments.discard))
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        for row in rows:
            print(row["text"])
    return DIFFERENT if rows and arguments.exit_code else OK


DIFF = Command(
    "diff",
    "tell what a reload would change",
    "Tells what a reload would change, a line each, and nothing where that is nothing. The whole "
    "file is checked.",
    _configure,
    _run,
)
