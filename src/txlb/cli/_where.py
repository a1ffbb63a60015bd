"""
The place of the control socket: the options that name it, and the search for it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from glob import glob

from txlb.admin._statepath import demoSocket, statePath
from txlb.cli._command import COMPLETES, NO_BALANCER, Failed
from txlb.errors import ConfigurationError

#: The variable that names the socket.
VARIABLE = "TXLB_SOCKET"

#: The socket of a balancer of the machine.
SYSTEM_SOCKET = "/run/txlb/control"


#: Options of each subcommand that asks a balancer. They stand before or behind the command.
SOCKET_OPTIONS = ("-s", "--socket", "-c", "--config")


#: Sockets of several balancers of a machine, each in a folder of its own.
SYSTEM_SOCKETS = "/run/txlb/*/control"


def addSocketOptions(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """
    Let a subcommand be told where the socket is.

    @param several: whether C{--socket} may be given several times, for L{findSockets}.
    """
    group = parser.add_argument_group("the balancer")
    socket = group.add_argument(
        "-s",
        "--socket",
        metavar="PATH",
        action="append" if several else "store",
        help=f"its control socket; by default what the file of -c says, or ${VARIABLE}, or "
        f"{SYSTEM_SOCKET}, or txlb/control in $XDG_RUNTIME_DIR, or that of the demo",
    )
    config = group.add_argument(
        "-c", "--config", metavar="FILE", help="its configuration file, which names the socket"
    )
    for option in (socket, config):
        setattr(option, COMPLETES, ("file",))


def findSocket(arguments: argparse.Namespace, environ: Mapping[str, str] | None = None) -> str:
    """
    Find the path of the socket that is meant.

    @param environ: the environment; by default this process's.
    @raise Failed: none is named, and there is none at the usual paths.
    """
    environment = os.environ if environ is None else environ
    if isinstance(arguments.socket, list):
        return str(arguments.socket[-1])
    if arguments.socket:
        return str(arguments.socket)
    if arguments.config:
        return _socketOf(arguments.config)
    if environment.get(VARIABLE):
        return environment[VARIABLE]
    *places, demo = _usual(environment)
    for place in (*places, demo):
        if os.path.exists(place):
            return place
    raise Failed(
        f"no balancer was found: there is no {' or '.join(places)}, and no demo runs; say where "
        f"its control socket is with --socket, in {VARIABLE}, or with -c and its configuration "
        "file",
        NO_BALANCER,
    )


def _usual(environment: Mapping[str, str]) -> list[str]:
    """
    Return the usual paths of the socket; the last one is that of the demo.
    """
    places = [SYSTEM_SOCKET]
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime):
        places.append(os.path.join(runtime, "txlb", "control"))
    return [*places, demoSocket(statePath(environ=environment))]


def findSockets(
    arguments: argparse.Namespace, environ: Mapping[str, str] | None = None
) -> list[str]:
    """
    Find the paths of the sockets of several balancers: those that are named, or all that there are
    at the usual paths.

    @param environ: the environment; by default this process's.
    @raise Failed: none is named, and there is none at the usual paths.
    """
    environment = os.environ if environ is None else environ
    if arguments.socket or arguments.config:
        named = [*map(str, arguments.socket or ())]
        return [*named, _socketOf(arguments.config)] if arguments.config else named
    places = [environment.get(VARIABLE, ""), *_usual(environment), *sorted(glob(SYSTEM_SOCKETS))]
    found = [each for each in dict.fromkeys(places) if each and os.path.exists(each)]
    # If there is none, the error is the same as for one balancer.
    return found or [findSocket(arguments, environ)]


def _socketOf(path: str) -> str:
    # Reading a file brings Twisted and an XML parser, which no other way of asking needs;
    # the first, so that it can ask for every kind of check.
    import txlb.application  # noqa: F401, PLC0415  (see above)
    from txlb.config import loadConfiguration  # noqa: PLC0415  (see above)

    try:
        control = loadConfiguration(path).control
    except ConfigurationError as error:
        raise Failed(str(error)) from None
    if control is None:
        raise Failed(f'{path} has no control socket; add <control socket="…"/> to it')
    return control
