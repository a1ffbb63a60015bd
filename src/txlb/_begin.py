"""
What a command of twistd does before anything else. It imports little, as a signal
that comes before it has run has the system's meaning.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

__all__ = ["EarlySignals", "begin", "earlySignals"]

#: The signals whose default is to kill the process, and which administrators and
#: log rotators send to a daemon that they believe to be ready.
EARLY = (signal.SIGHUP, signal.SIGUSR1)

#: Standard input, output and error.
STANDARD = range(3)


class EarlySignals:
    """
    The handlers of SIGHUP and SIGUSR1 until the services have started. They only
    note that a signal has come.

    @ivar came: the signals that have come. A service that answers one of them looks
        here when it starts.
    """

    def __init__(self) -> None:
        self.came: set[int] = set()

    def take(self) -> None:
        """
        Note the signals from now on. A signal that is ignored, as C{nohup} has it,
        or that has a handler, is left alone.
        """
        for number in EARLY:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.came.add(number)


#: The signals are the process's, and so is this.
earlySignals = EarlySignals()


def begin() -> None:
    """
    Make the process safe to be signalled, and to open files.
    """
    openStandardDescriptors()
    earlySignals.take()


def openStandardDescriptors(first: int = 0) -> None:
    """
    Open the null device in place of standard descriptors that are closed. Otherwise
    the next socket or log file gets such a number, and twistd puts the null device on
    it when it goes to the background, or a program that is started writes to it.

    @param first: the lowest of the three descriptors.
    """
    for number in STANDARD:
        try:
            os.fstat(first + number)
        except OSError:
            # The lowest number that is free is this one, or one of those below that
            # something else has closed since; then it is moved.
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != first + number:
                os.dup2(opened, first + number)
                os.close(opened)
            os.set_inheritable(first + number, True)
