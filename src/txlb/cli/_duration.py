"""
Times on the command line.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from txlb.model.kinds import UNITS, UNITS_SHOWN, secondsOf

#: What stands for a time in the help. What it may be is completed.
TIME = "TIME"

#: What is offered if nothing is typed yet.
_OFFERED = ("10s", "1m", "5m", "1h")

_NAMES = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}


def duration(text: str, least: float, most: float, what: str) -> float:
    """
    Read a time.

    @param least: how many seconds it has at least.
    @param most: how many it has at most.
    @param what: what it is, for the message.
    @return: its seconds.
    @raise argparse.ArgumentTypeError: it is none, or is too short or too long.
    """
    seconds = secondsOf(text)
    if seconds is None or not least <= seconds <= most:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no {what}; say {least:g} to {most:g} seconds, or a time with a unit, as "
            f"in {UNITS_SHOWN}"
        )
    return seconds


def completedDurations(current: str) -> Iterator[tuple[str, str]]:
    """
    The times that may be meant.

    @param current: what is typed so far.
    @return: each with what it is.
    """
    if re.fullmatch(r"[0-9]+([.][0-9]+)?", current):
        yield from ((f"{current}{unit}", _NAMES[unit]) for unit in reversed(UNITS))
    elif not current:
        yield from ((each, "") for each in _OFFERED)
