"""
C{txlb check}: a check of configuration files.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from txlb.cli._command import COMPLETES, OK, WRONG, Command
from txlb.errors import ConfigurationError

if TYPE_CHECKING:
    from txlb.config import Configuration


def _configure(parser: argparse.ArgumentParser) -> None:
    files = parser.add_argument("files", metavar="FILE", nargs="+", help="a configuration file")
    setattr(files, COMPLETES, ("file",))
    parser.add_argument(
        "--explain", action="store_true", help="print every setting in effect, defaults included"
    )


def _check(arguments: argparse.Namespace) -> int:
    return max(checkFile(path, arguments.explain) for path in arguments.files)


def checkFile(path: str, explain: bool = False) -> int:
    """
    Say that a configuration file is right, or everything that is wrong with it.

    @param explain: whether to print every setting in effect.
    @return: the exit status: 0 if it is right, or else 1.
    """
    # These bring Twisted and an XML parser, which most other commands do without; the
    # first, so that files can ask for every kind of check.
    import txlb.application  # noqa: F401, PLC0415  (see above)
    from txlb.config import explainConfiguration, loadConfiguration  # noqa: PLC0415  (see above)

    try:
        configuration = loadConfiguration(path)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return WRONG
    print(f"{path}: OK: {_summary(configuration)}")
    for note in configuration.notes:
        place = f"{note.file}:{note.line}" if note.line else note.file
        print(f"{place}: note: {note.message}")
    if explain:
        print(explainConfiguration(configuration), end="")
    return OK


def _summary(configuration: Configuration) -> str:
    services = configuration.services
    groups = [group for service in services for group in service.groups]
    hosts = [host for group in groups for host in group.hosts]
    return ", ".join(
        f"{len(found)} {what}" if len(found) == 1 else f"{len(found)} {what}s"
        for found, what in ((services, "service"), (groups, "group"), (hosts, "host"))
    )


CHECK = Command(
    "check",
    "say whether configuration files are right",
    "Reads configuration files, and says OK or everything that is wrong, with file and line.",
    _configure,
    _check,
)
