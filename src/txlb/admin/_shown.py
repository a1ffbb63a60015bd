"""
The texts of values and errors at the prompt.
"""

from __future__ import annotations

import os
import traceback
from types import TracebackType

from txlb.errors import TxlbError
from txlb.pool import Event

#: The folder of the modules of txlb.
_OURS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")

#: The name of the file that typed lines are in.
CONSOLE = "<console>"


def valueText(value: object) -> str:
    """
    Show a value as Python does, but events as sentences, a line each.
    """
    if isinstance(value, Event):
        return str(value)
    if isinstance(value, (tuple, list)) and value:
        if all(isinstance(each, Event) for each in value):
            return "\n".join(map(str, value))
    return repr(value)


def errorText(error: BaseException, where: TracebackType | None, lines: int) -> str:
    """
    Show an error of a typed statement.

    An error of txlb is one line, which names the thing and the remedy, without a traceback.
    An error of Python is one line too if one line was typed. For all other errors it is
    Python's traceback, without the frames of txlb's modules.

    @param where: the traceback, from the statement on.
    @param lines: how many lines the statement had.
    """
    name = type(error).__name__
    message = str(error) if isinstance(error, TxlbError) else _message(error)
    line = f"{name}: {message}" if message else name
    if isinstance(error, TxlbError):
        return line
    frames = traceback.extract_tb(where)
    place = _placeInside(frames)
    if place:
        # It takes the place to tell a wrong value from a fault of txlb.
        return f"{line} ({place})"
    if lines == 1 and all(frame.filename == CONSOLE for frame in frames):
        if error.__cause__ is None and error.__context__ is None and len(frames) == 1:
            return line
    told = traceback.TracebackException.from_exception(error)
    told.stack = _without(frames)
    for each in (told.__cause__, told.__context__):
        if each is not None:
            each.stack = _without(each.stack)
    return "".join(told.format()).rstrip("\n")


def _placeInside(frames: traceback.StackSummary) -> str:
    """
    Return the place in the modules of txlb that raised; empty if that is elsewhere.
    """
    place = ""
    for frame in frames:
        if frame.filename == CONSOLE:
            place = ""
        elif frame.filename.startswith(_OURS):
            place = f"txlb/{frame.filename.removeprefix(_OURS)}, line {frame.lineno}"
    return place


def _message(error: BaseException) -> str:
    """
    Return Python's message for an error, which differs from its text for some kinds.
    """
    told = "".join(traceback.format_exception_only(error)).rstrip("\n")
    return told.partition(": ")[2]


def _without(frames: traceback.StackSummary) -> traceback.StackSummary:
    return traceback.StackSummary.from_list(
        [frame for frame in frames if not frame.filename.startswith(_OURS)]
    )
