"""
C{txlb diff}: how the balancer and its file differ.
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
        help="tell what a reload would change if this file took the place of the balancer's own. "
        "The balancer reads it",
    )
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
    return DIFFERENT if rows and arguments.exit_code else OK


DIFF = Command(
    "diff",
    "tell how the balancer and its file differ",
    "Tells how the balancer and its file have gone apart since the file was loaded, a line each: "
    "what was changed in the file, which a reload takes up, and what was changed live, which is "
    "not in the file until it is saved. The whole file is checked.",
    _configure,
    _run,
)
