"""
What was edited in a configuration file since it was loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

from txlb.config import Configuration, parseConfiguration, readFile
from txlb.errors import ConfigurationError
from txlb.model import Plan

#: How many lines a status has of it at most.
MOST_LINES = 50

#: No difference.
NOTHING = Plan()


@dataclass(frozen=True, slots=True)
class Edits:
    """
    The edits in a file. True if there are any.

    @ivar edited: whether the file is another one than the one that was loaded.
    @ivar plan: what differs in what it says.
    @ivar problem: what is wrong with it; empty if it can be loaded.
    """

    edited: bool = False
    plan: Plan = NOTHING
    problem: str = ""

    def __bool__(self) -> bool:
        return self.edited

    @property
    def lines(self) -> list[str]:
        """
        What differs, or what is wrong, in at most L{MOST_LINES} lines.
        """
        return shortened(self.problem.splitlines() or self.plan.lines)


NO_EDITS = Edits()


def editsOf(path: str, loaded: Configuration) -> Edits:
    """
    Read a file and compare it with what was loaded. It is pure, and may be called in a
    thread.
    """
    try:
        data = readFile(path)
        if data == loaded.tostring():
            return NO_EDITS
        return Edits(True, loaded.planTo(parseConfiguration(data, path)))
    except ConfigurationError as error:
        return Edits(True, problem=str(error))


def shortened(lines: list[str]) -> list[str]:
    """
    Return the first L{MOST_LINES} lines, and how many more there are.
    """
    if len(lines) <= MOST_LINES:
        return lines
    return [*lines[:MOST_LINES], f"and {len(lines) - MOST_LINES} more"]
