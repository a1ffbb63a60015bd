"""
The options by which subcommands are told where the control socket is.
"""

from __future__ import annotations

import argparse

from txlb.cli._completers import completeBy
from txlb.cli._where import SYSTEM_SOCKET, VARIABLE

#: Options of each subcommand that asks a balancer. They stand before or behind the command.
SOCKET_OPTIONS = ("-s", "--socket", "-c", "--config")


def addSocketOptions(parser: argparse.ArgumentParser) -> None:
    """
    Let a subcommand be told where the socket is.
    """
    group = parser.add_argument_group("the balancer")
    socket = group.add_argument(
        "-s",
        "--socket",
        metavar="PATH",
        help=f"its control socket; by default what the file of -c says, or ${VARIABLE}, or "
        f"{SYSTEM_SOCKET}, or txlb/control in $XDG_RUNTIME_DIR, or that of the demo",
    )
    config = group.add_argument(
        "-c", "--config", metavar="FILE", help="its configuration file, which names the socket"
    )
    completeBy(socket, "file")
    completeBy(config, "file")
