"""
The subcommands that change a balancer while it runs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass

from txlb.cli._client import Client
from txlb.cli._command import OK, Command
from txlb.cli._duration import TIME, duration
from txlb.cli._where import addSocketOptions, findSocket

Values = dict[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """
    A subcommand that is one command of the list, L{txlb.admin.COMMANDS}.

    @ivar name: its word on the command line.
    @ivar asks: the command's name in AMP.
    @ivar configure: adds its arguments to a parser.
    @ivar values: makes the command's arguments of them.
    """

    name: str
    asks: str
    summary: str
    description: str
    configure: Callable[[argparse.ArgumentParser], object]
    values: Callable[[argparse.Namespace], Values]

    def command(self) -> Command:
        """
        As one of the subcommands.
        """
        return Command(self.name, self.summary, self.description, self.addTo, self.run)

    def addTo(self, parser: argparse.ArgumentParser) -> None:
        """
        Add its arguments.
        """
        self.configure(parser)
        parser.add_argument("--json", action="store_true", help="print the answer as JSON")
        addSocketOptions(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        """
        Give the command, and print what has happened.
        """
        with Client(findSocket(arguments)) as client:
            rows = client.rows(self.asks, **self.values(arguments))
        if arguments.json:
            print(json.dumps(rows, indent=2))
            return OK
        for row in rows:
            print(row.get("text", json.dumps(row)))
        if not rows:
            print("nothing to change: it is so already")
        return OK


def hostPath(text: str) -> str:
    """
    The argument that names a host.
    """
    if len(text.split("/")) != 3 or not all(text.split("/")):
        raise argparse.ArgumentTypeError(
            f"{text!r} does not name a host; say SERVICE/GROUP/HOST, as in web/prod/host1"
        )
    return text


def groupPath(text: str) -> str:
    """
    The argument that names a group.
    """
    if len(text.split("/")) != 2 or not all(text.split("/")):
        raise argparse.ArgumentTypeError(
            f"{text!r} does not name a group; say SERVICE/GROUP, as in web/prod"
        )
    return text


def weight(text: str) -> str:
    """
    The argument that is a weight.
    """
    if not text.isascii() or not text.isdecimal() or int(text[:9]) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no weight; weights are whole, 0 to 65535")
    return text


def addHost(parser: argparse.ArgumentParser) -> None:
    """
    Let a parser take a host.
    """
    parser.add_argument("host", metavar="SERVICE/GROUP/HOST", type=hostPath, help="the host")


def addGroup(parser: argparse.ArgumentParser) -> None:
    """
    Let a parser take a group.
    """
    parser.add_argument("group", metavar="SERVICE/GROUP", type=groupPath, help="the group")


def hostOf(arguments: argparse.Namespace) -> Values:
    """
    The host that was named.
    """
    return dict(zip(("service", "group", "host"), arguments.host.split("/"), strict=True))


def groupOf(arguments: argparse.Namespace) -> Values:
    """
    The group that was named.
    """
    return dict(zip(("service", "group"), arguments.group.split("/"), strict=True))


def _configureWeight(parser: argparse.ArgumentParser) -> None:
    addHost(parser)
    parser.add_argument("weight", metavar="WEIGHT", type=weight, help="0 to 65535")


def _configureAdd(parser: argparse.ArgumentParser) -> None:
    addHost(parser)
    parser.add_argument("address", metavar="ADDRESS", help="host:port or unix:/path")
    parser.add_argument("--weight", metavar="WEIGHT", type=weight, default="1", help="by default 1")


def _configureRemove(parser: argparse.ArgumentParser) -> None:
    addHost(parser)
    parser.add_argument(
        "--address",
        metavar="ADDRESS",
        default="",
        help="the address that it must have, so that the wrong one is not removed",
    )
    parser.add_argument("--force", action="store_true", help="reset the connections that it has")


def _configureScheduler(parser: argparse.ArgumentParser) -> None:
    addGroup(parser)
    parser.add_argument("scheduler", metavar="SCHEDULER", help="the word for the policy")


def _configureSwitchPort(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("listener", metavar="LISTENER", help="the name of the listener")
    parser.add_argument(
        "address", metavar="ADDRESS", help="a port of the same interface, or an address"
    )


def _configureOut(parser: argparse.ArgumentParser) -> None:
    addHost(parser)
    parser.add_argument(
        "--deadline",
        metavar=TIME,
        type=_deadline,
        help="reset the connections that are left after this time; by default they go on",
    )


def _deadline(text: str) -> str:
    duration(text, 0, 86_400, "deadline")
    return text


def _out(arguments: argparse.Namespace) -> Values:
    values = hostOf(arguments)
    if arguments.deadline is not None:
        values["deadline"] = arguments.deadline
    return values


def _configureReload(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--discard",
        action="store_true",
        help="undo what was changed live and is not in the file",
    )


def _configureSave(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="also where somebody else has changed the file since it was loaded; that is lost then",
    )


#: In the order of the help.
CHANGES = (
    Change(
        "drain",
        "Drain",
        "let a host get nothing new",
        "Lets a host get nothing new. The connections that it has go on.",
        _configureOut,
        _out,
    ),
    Change(
        "maintenance",
        "Maintenance",
        "drain a host, and check it no more",
        "Lets a host get nothing new, and checks it no more. The connections that it has go on.",
        _configureOut,
        _out,
    ),
    Change(
        "ready",
        "Ready",
        "bring a host back",
        "Brings a host back that was drained or in maintenance.",
        addHost,
        hostOf,
    ),
    Change(
        "weight",
        "SetWeight",
        "give a host another weight",
        "Gives a host another weight. With 0 it gets nothing new.",
        _configureWeight,
        lambda a: {**hostOf(a), "weight": a.weight},
    ),
    Change(
        "add",
        "AddHost",
        "add a host to a group",
        "Adds a host to a group. It gets connections at once.",
        _configureAdd,
        lambda a: {**hostOf(a), "address": a.address, "weight": a.weight},
    ),
    Change(
        "remove",
        "DelHost",
        "remove a host from its group",
        "Removes a host from its group. It gets nothing new, and the connections that it has go "
        "on.",
        _configureRemove,
        lambda a: {**hostOf(a), "address": a.address, "force": str(a.force)},
    ),
    Change(
        "switch-group",
        "SwitchGroup",
        "send a service's connections to another group",
        "Sends a service's new connections to another of its groups. Those that are open go on.",
        addGroup,
        groupOf,
    ),
    Change(
        "switch-port",
        "SwitchPort",
        "let a listener listen elsewhere",
        "Lets a listener listen elsewhere. The new address is taken before the old one is given "
        "up, and open connections go on.",
        _configureSwitchPort,
        lambda a: {"listener": a.listener, "address": a.address},
    ),
    Change(
        "scheduler",
        "SetScheduler",
        "let a group choose by another policy",
        "Lets a group choose its hosts by another policy. Counts and connections stay.",
        _configureScheduler,
        lambda a: {**groupOf(a), "scheduler": a.scheduler},
    ),
    Change(
        "reload",
        "Reload",
        "load the configuration file again",
        "Loads the configuration file again, as a whole or not at all, and prints what has "
        "changed. What was changed live and is not in the file stays, unless the file was changed "
        "in the same place: then nothing is done.",
        _configureReload,
        lambda a: {"discard": str(a.discard)},
    ),
    Change(
        "save",
        "Save",
        "write what was changed live to the file",
        "Writes what was changed live to the configuration file, with its comments and its order. "
        "The old file is kept beside it.",
        _configureSave,
        lambda a: {"overwrite": str(a.overwrite)},
    ),
)
