"""
C{txlb passwd}: the hash of a password.
"""

from __future__ import annotations

import argparse
import getpass
import sys

from txlb.cli._command import OK, WRONG, Command
from txlb.errors import ModelError

#: How much of a line is read as a password, in characters. Hashing has a limit
#: of its own, and says so.
MAX_LINE = 10_000


def _configure(parser: argparse.ArgumentParser) -> None:
    """
    Add no arguments: all users of the machine can see a password on a command line.
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
    An input without a password.
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


PASSWD = Command(
    "passwd",
    "make the hash of a password for a configuration file",
    'Asks for a password twice and prints its hash, which goes to <user password="…">. '
    "If the input is no terminal, its first line is the password.",
    _configure,
    _passwd,
)
