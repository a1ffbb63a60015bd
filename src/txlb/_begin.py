"""
The first steps of a command of twistd. This module imports little, because a signal
that comes before it has run has its default effect.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

__all__ = ["EarlySignals", "begin", "earlySignals"]

#: The signals that kill the process by default, and that administrators and log
#: rotators send to a daemon that they believe to be ready.
EARLY = (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

#: Standard input, output and error.
STANDARD = range(3)


class EarlySignals:
    """
    The handlers of SIGHUP, SIGUSR1 and SIGUSR2 until the services have started. They only record
    signals.

    @ivar came: the signals that have come. A service that answers one of them checks
        this when it starts.
    """

    def __init__(self) -> None:
        self.came: set[int] = set()

    def take(self) -> None:
        """
        Record the signals from now on. A signal that is ignored, as with C{nohup}, or
        that has a handler, stays unchanged.
        """
        for number in EARLY:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.came.add(number)


#: One object for the process, because signals belong to the process.
earlySignals = EarlySignals()


def begin() -> None:
    """
    Prepare the process for signals and for opening files.
    """
    openStandardDescriptors()
    earlySignals.take()


def openStandardDescriptors(first: int = 0) -> None:
    """
    Open the null device in place of closed standard descriptors. Otherwise the next
    socket or log file gets such a number, and twistd replaces it by the null device
    when it goes to the background, or a child process writes to it.

    @param first: the lowest of the three descriptors.
    """
    for number in STANDARD:
        try:
            os.fstat(first + number)
        except OSError:
            # The lowest free number is this one, or a lower one that other code has
            # closed since; then it is moved.
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != first + number:
                os.dup2(opened, first + number)
                os.close(opened)
            os.set_inheritable(first + number, True)
