"""
C{txlb login-test}: what the sources of logins say of a user.
"""

from __future__ import annotations

import argparse
import getpass
import json
import sys

from txlb.admin import findCommand
from txlb.cli._client import Client
from txlb.cli._command import OK, WRONG, Command, Failed
from txlb.cli._where import addSocketOptions, findSocket

#: How much of a line is read as a password, in characters.
MAX_LINE = 2_000


def _configure(parser: argparse.ArgumentParser) -> None:
    # Not the password: all users of the machine can see it on a command line.
    parser.add_argument("user", metavar="USER", help="the login name")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")
    addSocketOptions(parser)


def _run(arguments: argparse.Namespace) -> int:
    socket = findSocket(arguments)
    password = _password()
    with Client(socket, _ENTRY.patience) as client:
        rows = client.rows(_ENTRY.wireName, user=arguments.user, password=password)
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        for row in rows:
            print(row["text"])
    return OK if any(row.get("accepts") for row in rows) else WRONG


def _password() -> str:
    try:
        if sys.stdin.isatty():
            return getpass.getpass("Password: ")
        return sys.stdin.readline(MAX_LINE).rstrip("\r\n")
    except (EOFError, UnicodeDecodeError):
        raise Failed("no password was given") from None


_ENTRY = findCommand("loginTest")

LOGIN_TEST = Command(
    _ENTRY.words,
    _ENTRY.summary,
    f"{_ENTRY.doc} The password is asked for; if the input is no terminal, its first line is the "
    "password. The exit status is 0 if a source lets the user in.",
    _configure,
    _run,
)
