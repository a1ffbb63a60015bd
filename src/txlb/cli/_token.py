"""
C{txlb token}: a token for a program.
"""

from __future__ import annotations

import argparse
import sys

from txlb.admin._access import LEVELS, READONLY
from txlb.admin._newtoken import hashToken, newToken
from txlb.cli._command import OK, Command


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the name of the program, for events and logs")
    parser.add_argument(
        "--access",
        choices=LEVELS,
        default=READONLY,
        help="what the program may do; by default readonly",
    )


def _token(arguments: argparse.Namespace) -> int:
    token = newToken()
    print(token)
    # It brings a client of HTTP, which no other command needs.
    from xml.sax.saxutils import quoteattr  # noqa: PLC0415  (see above)

    name, hashed = quoteattr(arguments.name), quoteattr(hashToken(token))
    print(
        "Give that to the program: it is shown once. This goes into <admin> of the configuration "
        f'file:\n<token name={name} hash={hashed} access="{arguments.access}"/>',
        file=sys.stderr,
    )
    return OK


TOKEN = Command(
    "token",
    "make a token for a program that uses the REST interface",
    "Prints a new token, and as the last line on stderr the element for the configuration file. A "
    "program sends it as Authorization: Bearer TOKEN.",
    _configure,
    _token,
)
