"""
The command line: which subcommands there are, and how the process ends.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence

from txlb import __version__
from txlb.cli._check import CHECK
from txlb.cli._passwd import PASSWD

#: Every subcommand, in the order of the help.
COMMANDS = (CHECK, PASSWD)


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command.

    @param argv: its arguments, without the name of the program; by default
        those that the process was started with.
    @return: the exit status.
    @raise SystemExit: the arguments are wrong, or ask for the help or the
        version.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file's name need not be text in the terminal's encoding.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        arguments = _parser().parse_args(argv)
        status = int(arguments.run(arguments))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # Python flushes once more when it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="txlb",
        description="Helps to set up txlb, the load balancer that lives inside Twisted.",
        epilog="The balancer itself is run by: twistd -n txlb -c FILE",
    )
    parser.add_argument("--version", action="version", version=f"txlb {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        inner = commands.add_parser(
            command.name, help=command.summary, description=command.description
        )
        command.configure(inner)
        inner.set_defaults(run=command.run)
    return parser
