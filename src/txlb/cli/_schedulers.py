"""
C{txlb schedulers}: the policies, and when to choose each.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap

from txlb.cli._command import OK, WRONG, Command

#: The widest line, in characters.
_WIDTH = 80


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")


def _schedulers(arguments: argparse.Namespace) -> int:
    # It brings all of a balancer, which most other commands do without.
    from txlb.application import listSchedulers  # noqa: PLC0415  (see above)

    kinds, wrong = listSchedulers()
    if arguments.json:
        print(json.dumps(kinds, indent=2))
    else:
        for kind in kinds:
            print(_paragraph(kind))
    for line in wrong:
        print(f"txlb schedulers: {line}", file=sys.stderr)
    return WRONG if wrong else OK


def _paragraph(kind: dict[str, object]) -> str:
    word = str(kind["word"])
    lines = [str(kind["summary"] or "a policy that does not say what it does")]
    if kind["chooseWhen"]:
        lines.append(f"when {kind['chooseWhen']}")
    settings = kind["settings"]
    if isinstance(settings, list) and settings:
        lines.append(f"settings: {', '.join(settings)}")
    indent = " " * 12
    filled = [
        textwrap.fill(line, _WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
        for line in lines
    ]
    text = "\n".join(filled).lstrip()
    return f"{word:<11} {text}"


SCHEDULERS = Command(
    "schedulers",
    "list the scheduling policies and when to choose which",
    "Lists every policy by which hosts can be chosen, those of installed plugins included, with "
    "what it does and when to choose it.",
    _configure,
    _schedulers,
)
