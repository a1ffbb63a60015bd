"""
C{txlb certs}: the commands C{certificates} and C{reloadCertificates} of the list as one.
"""

from __future__ import annotations

import argparse
import json

from txlb.admin import findCommand
from txlb.cli._client import Client
from txlb.cli._command import OK, WRONG, Command
from txlb.cli._where import addSocketOptions, findSocket


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        nargs="?",
        choices=["reload"],
        help="read the files of the certificates again, before the balancer does so by itself",
    )
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    addSocketOptions(parser)


def _run(arguments: argparse.Namespace) -> int:
    with Client(findSocket(arguments)) as client:
        rows = client.rows("ReloadCertificates" if arguments.action else "Certificates")
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        for row in rows:
            print(row["text"])
    return WRONG if any(row["row"] == "fault" for row in rows) and arguments.action else OK


_ENTRY = findCommand("certificates")

CERTS = Command(_ENTRY.words, _ENTRY.summary, _ENTRY.doc, _configure, _run)
