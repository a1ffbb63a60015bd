"""
Subcommands, and their exit statuses.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

#: The attribute of an argument that has the kinds of words that complete it: those of
#: L{txlb.admin._arguments.Kind}, or L{SETTINGS_OF} and the thing that has the settings.
#: L{txlb.cli._completers} reads it if a shell asks.
COMPLETES = "txlbCompletes"
SETTINGS_OF = "settings of "

#: The exit status if all is well.
OK = 0

#: The exit status if what was asked for is wrong or was refused.
WRONG = 1

#: The exit status if the command line is wrong; argparse ends with it.
USAGE = 2

#: The exit status if there is no balancer to ask.
NO_BALANCER = 3

#: The exit status if the balancer has gone, or did not answer in time.
NO_ANSWER = 4

#: The exit status of C{--exit-code} if something differs.
DIFFERENT = 5


@dataclass(frozen=True, slots=True)
class Command:
    """
    One subcommand.

    @ivar name: its words on the command line: one, or two with a space between them.
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


class Failed(Exception):
    """
    A command that can't be done. The message is for the person at the command line.

    @ivar status: the exit status.
    """

    def __init__(self, message: str, status: int = WRONG) -> None:
        self.status = status
        super().__init__(message)
