"""
C{txlb health}: whether a balancer serves, as an exit status.
"""

from __future__ import annotations

import json

from txlb.admin import findCommand
from txlb.cli._client import Row
from txlb.cli._command import OK, WRONG
from txlb.cli._listed import ListedCommand


def _show(rows: list[Row], asJSON: bool) -> int:
    if asJSON:
        print(json.dumps(rows, indent=2))
    else:
        for row in rows:
            print(row["text"])
    # Rows without the word are no answer, and none at all is none either.
    return OK if rows and all(row.get("serves") is True for row in rows) else WRONG


HEALTH = ListedCommand(findCommand("health"), _show).command()
