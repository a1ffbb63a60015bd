"""
The C{txlb} command: what helps to set up a balancer. The balancer itself is run
by C{twistd txlb}.

It ends with status 0 where all is well, 1 where a file or a password is wrong
and 2 where the command line is; as a shell would have it, with 130 after
Ctrl-C, and with 141 where nobody reads what it says.
"""

from __future__ import annotations

import argparse
import getpass
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from txlb import __version__
from txlb.config import Configuration, explainConfiguration, loadConfiguration
from txlb.errors import ConfigurationError, ModelError

__all__ = ["COMMANDS", "Command", "main"]

OK = 0
WRONG = 1

#: How much of a line is read as a password, in characters. Hashing has a limit
#: of its own, and says so.
MAX_LINE = 10_000


@dataclass(frozen=True, slots=True)
class Command:
    """
    One subcommand.

    @ivar name: its word on the command line.
    @ivar summary: what it does, in half a sentence.
    @ivar description: what it does, in full.
    @ivar configure: adds its arguments to a parser.
    @ivar run: does it, and returns the exit status.
    """

    name: str
    summary: str
    description: str
    configure: Callable[[argparse.ArgumentParser], object]
    run: Callable[[argparse.Namespace], int]


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


def _configureCheck(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="a configuration file")
    parser.add_argument(
        "--explain", action="store_true", help="print every setting in effect, defaults included"
    )


def _check(arguments: argparse.Namespace) -> int:
    status = OK
    for path in arguments.files:
        try:
            configuration = loadConfiguration(path)
        except ConfigurationError as error:
            print(error, file=sys.stderr)
            status = WRONG
            continue
        print(f"{path}: OK: {_summary(configuration)}")
        for note in configuration.notes:
            place = f"{note.file}:{note.line}" if note.line else note.file
            print(f"{place}: note: {note.message}")
        if arguments.explain:
            print(explainConfiguration(configuration), end="")
    return status


def _summary(configuration: Configuration) -> str:
    services = configuration.services
    groups = [group for service in services for group in service.groups]
    hosts = [host for group in groups for host in group.hosts]
    return ", ".join(
        f"{len(found)} {what}" if len(found) == 1 else f"{len(found)} {what}s"
        for found, what in ((services, "service"), (groups, "group"), (hosts, "host"))
    )


def _configurePasswd(parser: argparse.ArgumentParser) -> None:
    """
    It takes no arguments: a password on a command line is there for all to see.
    """


def _passwd(_arguments: argparse.Namespace) -> int:
    # It brings the whole of Twisted's ssh, which no other command needs.
    from txlb.admin import hashPassword  # noqa: PLC0415  (see above)

    try:
        print(hashPassword(_askPassword()))
    except (_PasswordError, ModelError) as error:
        print(f"txlb passwd: {error}", file=sys.stderr)
        return WRONG
    return OK


class _PasswordError(Exception):
    """
    There is no password to make a hash of.
    """


def _askPassword() -> str:
    try:
        if sys.stdin.isatty():
            password = getpass.getpass("Password: ")
            again = password and getpass.getpass("The same again: ")
        else:
            password = again = sys.stdin.readline(MAX_LINE).rstrip("\r\n")
    except EOFError:
        raise _PasswordError("no password was given; nothing was made") from None
    except UnicodeDecodeError:
        raise _PasswordError("the password is no text in this terminal's encoding") from None
    if not password:
        raise _PasswordError("the password is empty; choose a longer one")
    if password != again:
        raise _PasswordError("the two are not the same; try again")
    return password


#: Every subcommand, in the order of the help.
COMMANDS = (
    Command(
        "check",
        "say whether configuration files are right",
        "Reads configuration files, and says OK or everything that is wrong, with file and line.",
        _configureCheck,
        _check,
    ),
    Command(
        "passwd",
        "make the hash of a password for a configuration file",
        'Asks for a password twice and prints its hash, which goes to <user password="…">. '
        "Where the input is no terminal, its first line is the password.",
        _configurePasswd,
        _passwd,
    ),
)
