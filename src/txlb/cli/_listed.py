"""
Subcommands that are made of the list of commands, L{txlb.admin.COMMANDS}.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence

from txlb.admin import READONLY, AdminCommand
from txlb.admin._arguments import FILE, FLAG, PATH_KINDS, Argument
from txlb.cli._client import Client, Row
from txlb.cli._command import COMPLETES, OK, SETTINGS_OF, Command
from txlb.cli._where import addSocketOptions, findSocket
from txlb.errors import ModelError

#: The values of arguments, by their names, as texts.
Values = dict[str, str]

#: Shows an answer: it gets the rows, and whether to print them as JSON, and returns the
#: exit status.
Show = Callable[[list[Row], bool], int]

#: Attributes of the parsed command line begin with it, so that none has the name of
#: another option.
_PREFIX = "given_"

_EXAMPLES = {"service": "web", "group": "prod", "host": "host1"}


class ListedCommand:
    """
    An entry of the list as a subcommand.

    Arguments that name a service, a group and a host are one word, C{SERVICE/GROUP/HOST}.
    The others that have to be given follow in their order, and the rest are options.

    @param show: shows the answer; by default the text of each row, a line each.
    @param several: whether several balancers may be named, see L{addSocketOptions}.
    """

    def __init__(
        self, entry: AdminCommand, show: Show | None = None, several: bool = False
    ) -> None:
        self._several = several
        self._entry = entry
        self._show = show or self._print
        self._path = tuple(each for each in entry.arguments if each.kind in PATH_KINDS)
        self._others = tuple(each for each in entry.arguments if each.kind not in PATH_KINDS)

    def command(self) -> Command:
        """
        Make the subcommand.
        """
        entry = self._entry
        return Command(entry.words, entry.summary, entry.doc, self.configure, self.run)

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """
        Add the arguments to a parser.
        """
        if self._path:
            self._addPath(parser)
        for argument in self._others:
            if _isPlace(argument):
                action = parser.add_argument(
                    _PREFIX + argument.name,
                    metavar=argument.name.upper(),
                    type=_reader(argument),
                    help=argument.doc,
                    nargs=None if argument.required else "?",
                )
                setattr(action, COMPLETES, (argument.kind.completes,))
        for argument in self._others:
            if argument.kind.settingsOf:
                _addSettings(parser, argument)
            elif not _isPlace(argument):
                _addOption(parser, argument)
        parser.add_argument("--json", action="store_true", help="print the answer as JSON")
        addSocketOptions(parser, self._several)

    def _addPath(self, parser: argparse.ArgumentParser) -> None:
        path = self._path
        action = parser.add_argument(
            f"{_PREFIX}path",
            metavar=pathName(path),
            type=lambda text: readPath(path, text),
            help=", ".join(each.doc for each in path),
            default={},
            nargs=None if path[0].required else "?",
        )
        # The last part if all have to be given, and else each at which the path may end.
        last = [each for each in path if not each.required] if not path[0].required else path
        kinds = path[-1:] if path[-1].required else last
        setattr(action, COMPLETES, tuple(each.kind.completes for each in kinds))

    def values(self, arguments: argparse.Namespace) -> Values:
        """
        Return the values that were given.
        """
        values: Values = dict(arguments.given_path) if self._path else {}
        for argument in self._others:
            value = getattr(arguments, _PREFIX + argument.name)
            if argument.kind.settingsOf:
                value = json.dumps(dict(value)) if value else None
            if value is not None and value is not False:
                values[argument.name] = str(value)
        return values

    def run(self, arguments: argparse.Namespace) -> int:
        """
        Give the command, and show the answer.
        """
        with Client(findSocket(arguments), self._entry.patience) as client:
            rows = client.rows(self._entry.wireName, **self.values(arguments))
        return self._show(rows, arguments.json)

    def _print(self, rows: list[Row], asJSON: bool) -> int:
        if asJSON:
            print(json.dumps(rows, indent=2))
            return OK
        for row in rows:
            print(row.get("text", json.dumps(row)))
        if not rows and self._entry.access != READONLY:
            print("nothing to change: it is so already")
        return OK


def pathName(path: Sequence[Argument]) -> str:
    """
    Return what stands for a path in the help, such as C{SERVICE/GROUP/HOST}; what may be
    left out is in brackets.
    """
    text = ""
    for argument in path:
        part = argument.kind.completes.upper()
        text += f"/{part}" if text and argument.required else f"[/{part}]" if text else part
    return text


def readPath(path: Sequence[Argument], text: str) -> Values:
    """
    Read a path.

    @param path: the arguments of which it has the values.
    @raise argparse.ArgumentTypeError: it does not have as many parts.
    """
    parts = text.split("/")
    least = max(sum(each.required for each in path), 1)
    if not least <= len(parts) <= len(path) or not all(parts):
        example = "/".join(_EXAMPLES[each.kind.completes] for each in path)
        raise argparse.ArgumentTypeError(
            f"{text!r} does not name a {path[-1].kind.completes}; say {pathName(path)}, as in "
            f"{example}"
        )
    return {argument.name: part for argument, part in zip(path, parts, strict=False)}


def optionName(argument: Argument) -> str:
    """
    Return the spelling of an argument that is an option: C{--max-queue} for C{maxQueue}.
    """
    words = "".join(f"-{each.lower()}" if each.isupper() else each for each in argument.name)
    return argument.option or f"--{words}"


def _isPlace(argument: Argument) -> bool:
    return (argument.required or argument.inPlace) and not argument.kind.settingsOf


def _addSettings(parser: argparse.ArgumentParser, argument: Argument) -> None:
    action = parser.add_argument(
        _PREFIX + argument.name,
        metavar="NAME=VALUE",
        type=readSetting,
        nargs="+" if argument.required else "*",
        help=argument.doc,
    )
    setattr(action, COMPLETES, (SETTINGS_OF + argument.kind.settingsOf,))


def isSetting(text: str) -> bool:
    """
    Whether a word of a command line is a setting: a name, an equals sign, and a value.
    """
    return text.partition("=")[0].isidentifier() and "=" in text


def readSetting(text: str) -> tuple[str, str]:
    """
    Read a setting.

    @raise argparse.ArgumentTypeError: it is no name with a value.
    """
    if not isSetting(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no setting; say NAME=VALUE, as in maxConnections=50"
        )
    name, _, value = text.partition("=")
    return name, value


def _addOption(parser: argparse.ArgumentParser, argument: Argument) -> None:
    name, destination = optionName(argument), _PREFIX + argument.name
    if argument.kind is FLAG:
        parser.add_argument(name, dest=destination, action="store_true", help=argument.doc)
        return
    metavar = "TIME" if argument.kind.completes == "time" else argument.name.upper()
    if argument.option:
        metavar = argument.option.lstrip("-").upper()
    action = parser.add_argument(
        name,
        dest=destination,
        metavar=metavar,
        type=_reader(argument),
        help=argument.doc + _defaultText(argument),
    )
    setattr(action, COMPLETES, (argument.kind.completes,))


def _defaultText(argument: Argument) -> str:
    shown = argument.default is not None and argument.default != ""
    return f"; by default {argument.default}" if shown and "default" not in argument.doc else ""


def _reader(argument: Argument) -> Callable[[str], str]:
    """
    Make a function that checks a text of the command line. The balancer gets the text as
    it is, but a file's absolute path.
    """

    def read(text: str) -> str:
        try:
            argument.read(text)
        except ModelError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return os.path.abspath(text) if argument.kind is FILE else text

    return read
