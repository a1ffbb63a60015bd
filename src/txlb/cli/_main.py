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
from dataclasses import replace
from typing import Any

from txlb import __version__
from txlb.admin import COMMANDS as ADMIN_COMMANDS
from txlb.admin._commands import FAMILIES
from txlb.cli._ask import CLIENT_ADDRESS
from txlb.cli._certs import CERTS
from txlb.cli._check import CHECK
from txlb.cli._command import Command, Failed
from txlb.cli._completion import ASKING, COMPLETION, complete
from txlb.cli._diff import DIFF
from txlb.cli._events import EVENTS
from txlb.cli._health import HEALTH
from txlb.cli._listed import ListedCommand, isSetting, readSetting
from txlb.cli._logintest import LOGIN_TEST
from txlb.cli._passwd import PASSWD
from txlb.cli._schedulers import SCHEDULERS
from txlb.cli._status import STATUS
from txlb.cli._token import TOKEN
from txlb.cli._top import TOP
from txlb.cli._where import SOCKET_OPTIONS

#: Entries of the list of commands that have more to show, or to be told, than the list
#: says, by their words.
_SPECIAL = {each.name: each for each in (STATUS, HEALTH, DIFF, EVENTS, CERTS, LOGIN_TEST)}

#: Every subcommand, in the order of the help.
COMMANDS = (
    *(
        _SPECIAL.get(entry.words) or ListedCommand(entry).command()
        for entry in ADMIN_COMMANDS
        if entry.words
    ),
    TOP,
    CLIENT_ADDRESS,
    CHECK,
    SCHEDULERS,
    PASSWD,
    TOKEN,
    COMPLETION,
)


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run the command.

    @param argv: its arguments, without the name of the program; by default
        those that the process was started with.
    @return: the exit status.
    @raise SystemExit: the arguments are wrong, or ask for the help or the
        version.
    """
    _openOutputs()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file's name need not be text in the terminal's encoding.
        sys.stdout.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if ASKING in os.environ:
            status = complete(_parser(whole=True))
        else:
            status = _run(_parsed(_parser(), _commandFirst(words)))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # Python flushes once more when it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return status


def _openOutputs() -> None:
    """
    Let what is written go nowhere if standard output or error is closed.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - to the end


def _commandFirst(words: list[str]) -> list[str]:
    """
    Move options that tell where the balancer is from before the command to behind it, where
    the parsers of the commands expect them.
    """
    count = 0
    while count < len(words):
        word = words[count]
        if word in SOCKET_OPTIONS:
            count += 2
        elif word.partition("=")[0] in SOCKET_OPTIONS or word[:2] in SOCKET_OPTIONS:
            count += 1
        else:
            break
    options, rest = words[:count], words[count:]
    end = rest.index("--") if "--" in rest else len(rest)
    return [*rest[:end], *options, *rest[end:]]


def _parsed(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """
    Parse a command line. Settings may stand behind options: argparse takes all of them from
    one place.
    """
    arguments, more = parser.parse_known_args(words)
    settings = getattr(arguments, "given_settings", None)
    if more and settings is not None and all(map(isSetting, more)):
        arguments.given_settings = [*settings, *map(readSetting, more)]
    elif more:
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    return arguments


def _run(arguments: argparse.Namespace) -> int:
    try:
        return int(arguments.run(arguments))
    except Failed as error:
        sys.stdout.flush()
        print(f"{arguments.prog}: {error}", file=sys.stderr)
        return error.status


class CommandParser(argparse.ArgumentParser):
    """
    The parser of a subcommand, or of the first word of several. It gets its arguments when it
    has something to parse: of all subcommands a command line has one.

    @param command: adds the arguments; L{None} if none are to be added.
    @param settings: see L{argparse.ArgumentParser}.
    """

    def __init__(self, *, command: Command | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self._command = command

    def configure(self) -> None:
        """
        Add the arguments, if they are not there yet.
        """
        command, self._command = self._command, None
        if command is not None:
            command.configure(self)
            self.set_defaults(run=command.run, prog=self.prog)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """
        Parse a command line, as in L{argparse.ArgumentParser}, after L{configure}.
        """
        self.configure()
        return super().parse_known_args(args, namespace)


def _parser(whole: bool = False) -> argparse.ArgumentParser:
    """
    Make the parser of the command line.

    @param whole: whether each subcommand has its arguments before it is asked to parse.
    """
    parser = argparse.ArgumentParser(
        prog="txlb",
        description="Looks at a balancer that runs, changes it, and helps to set one up.",
        epilog="The balancer itself is run by: twistd -n txlb -c FILE. Exit statuses: 0 all is "
        "well; 1 wrong or refused; 2 the command line is wrong; 3 there is no balancer; 4 it did "
        "not answer; 5 something differs.",
    )
    parser.add_argument("--version", action="version", version=f"txlb {__version__}")
    _addCommands(parser, COMMANDS, whole)
    return parser


def _addCommands(
    parser: argparse.ArgumentParser, added: Sequence[Command], whole: bool, required: bool = True
) -> None:
    """
    Add subcommands. Those of two words are in a parser of the first one.

    @param required: whether one has to be given.
    """
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=required, parser_class=CommandParser
    )
    families: dict[str, list[Command]] = {}
    for command in added:
        word, _, second = command.name.partition(" ")
        if second:
            family = families.setdefault(word, [])
            family.append(replace(command, name=second))
            if word not in commands.choices:
                # It gets the others below, and its place here.
                commands.add_parser(word, help=FAMILIES[word], description=_described(word))
            continue
        inner = commands.add_parser(
            word, help=command.summary, description=command.description, command=command
        )
        if whole:
            inner.configure()
    alone = {command.name for command in added}
    for word, family in families.items():
        _addCommands(commands.choices[word], family, whole, word not in alone)


def _described(word: str) -> str:
    text = FAMILIES[word]
    return f"{text[0].upper()}{text[1:]}."
