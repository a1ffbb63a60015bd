"""
Times on the command line.
"""

from __future__ import annotations

import argparse

#: The name of a time in the help.
TIME = "TIME"


def duration(text: str, least: float, most: float, name: str) -> float:
    """
    Read a time.

    @param least: the least, in seconds.
    @param most: the most, in seconds.
    @param name: its name, for the message.
    @return: its seconds.
    @raise argparse.ArgumentTypeError: it is none, or is too short or too long.
    """
    # The model needs time to load, which most command lines do not have to wait for.
    from txlb.model.kinds import UNITS_SHOWN, secondsOf  # noqa: PLC0415  (see above)

    seconds = secondsOf(text)
    if seconds is None or not least <= seconds <= most:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no {name}; say {least:g} to {most:g} seconds, or a time with a unit, as "
            f"in {UNITS_SHOWN}"
        )
    return seconds
