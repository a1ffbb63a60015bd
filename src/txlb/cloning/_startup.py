"""
Errors of the start of an application that is cloned, for people.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from twisted.internet.error import CannotListenError

from txlb.errors import TxlbError
from txlb.process import errorLine

#: The module of Twisted that starts C{twistd}.
_TWISTD = "twisted.application.app"

#: The packages whose frames are not the application's.
_OURS = ("txlb.", "twisted.", "contextlib")


@contextmanager
def startingUp() -> Iterator[None]:
    """
    Turn an error into one line and the exit status 1, if C{twistd} is starting the
    application. Other programs get the error itself.

    @raise SystemExit: there was an error; the message names the line of the C{.tac}, if the
        error is in one.
    """
    try:
        yield
    except (TxlbError, CannotListenError) as problem:
        place = _place()
        if place is None:
            raise
        raise SystemExit(f"txlb: {place}{str(problem).rstrip('.')}") from None


def isTwistd() -> bool:
    """
    Tell whether C{twistd} is starting the application that calls this.
    """
    return _place() is not None


def _place() -> str | None:
    """
    Find the line of the application that runs.

    @return: it, as the beginning of a message; an empty text if there is none; L{None} if
        it is not C{twistd} that starts the application.
    """
    place = ""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the only way to the caller's line
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module == _TWISTD:
            return place
        if not place and not f"{module}.".startswith(_OURS):
            place = f"{frame.f_code.co_filename}, line {frame.f_lineno}: "
        frame = frame.f_back
    return None


class OneLine:
    """
    Stands for the module C{traceback} where C{twistd} uses it to print the error of a C{.tac}. It
    prints one line instead, in the log of a daemon as well, and the exit status is 1. C{twistd}
    has no other place where an application could say how its errors are told.

    @param traceback: the module, which has all other functions.
    """

    def __init__(self, traceback: Any) -> None:
        self._traceback = traceback

    def __getattr__(self, name: str) -> Any:
        return getattr(self._traceback, name)

    def print_exc(self, *_args: object, **_named: object) -> None:
        """
        Print the error that is being handled.

        @raise SystemExit: always. The message names the line of the C{.tac} and the error, and
            the line where that was raised if it is another one.
        """
        problem = sys.exc_info()[1]
        raise SystemExit(f"txlb: {errorLine(problem)}") from None


def tellInOneLine() -> None:
    """
    Let C{twistd} tell an error of the C{.tac} in one line, if it is reading one.
    """
    if isTwistd():
        app: Any = sys.modules[_TWISTD]
        if not isinstance(app.traceback, OneLine):
            app.traceback = OneLine(app.traceback)


class ExitStatus:
    """
    The exit status of this process after its reactor has stopped, which C{twistd} has no
    way to set.

    @ivar failed: whether it is 1.
    """

    def __init__(self) -> None:
        self.failed = False
        # It is called after all functions that are registered later.
        atexit.register(self.end)

    def end(self) -> None:
        """
        End the process with exit status 1, if it has failed.
        """
        if self.failed:
            for stream in (sys.__stdout__, sys.__stderr__):
                if stream is not None:
                    stream.flush()
            os._exit(1)


#: One object for the process, because an exit status belongs to the process.
exitStatus = ExitStatus()

tellInOneLine()
