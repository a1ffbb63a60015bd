"""
The log of the process, in place of twistd's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TextIO, cast

from twisted.logger import ILogObserver, LogEvent, Logger, textFileLogObserver
from zope.interface import implementer

from txlb.process._owner import Owner
from txlb.process._rotated import RotatedFile
from txlb.process._usersignal import UserSignal

#: The name of twistd's own log, and the size at which twistd rotates it.
NAME = "twistd.log"
ROTATE_LENGTH = 1_000_000

#: The beginning of Twisted's message that it can't write its list of plugins.
_NO_CACHE = "Unable to write to plugin cache"

_log = Logger()


class Output(Protocol):
    """
    The receiver of the text of a log.
    """

    def write(self, text: str, /) -> object:
        """
        Write some lines.
        """

    def flush(self) -> object:
        """
        Pass on written lines.
        """


@implementer(ILogObserver)
class ProcessLog:
    """
    Writer of the process's log in place of twistd, to the same file and in the same
    format. twistd opens the file with root's rights, follows every link, and keeps an
    offset of its own. On SIGUSR1 the file is rotated, as twistd does; if it was moved
    from outside, it is opened anew.

    @param output: the receiver of the text; L{None} if standard output is closed.
    """

    def __init__(self, output: Output | None) -> None:
        self.output = output
        self._saidCache = False
        self._signal: UserSignal | None = None
        self._write: Callable[[LogEvent], object] = lambda _: None
        if output is not None:
            self._write = textFileLogObserver(cast("TextIO", output))

    @classmethod
    def fromTwistd(cls, options: Mapping[str, Any], owner: Owner) -> ProcessLog | None:
        """
        Make the log that twistd's own options ask for.

        @return: L{None} if they ask for syslog or for another observer, or for a log
            that twistd refuses.
        @raise LogFileError: the file can't be opened for writing.
        """
        name, inFront = options.get("logfile"), options.get("nodaemon") or options.get("debug")
        if options.get("logger") or options.get("syslog") or (name == "-" and not inFront):
            return None
        if name == "-" or (inFront and not name):
            return cls(cast("Output | None", sys.stdout))
        return cls(RotatedFile(name or NAME, ROTATE_LENGTH, None, owner))

    def discard(self) -> None:
        """
        Close the file, because no service starts. Remove it if this start has made it and
        it is empty.
        """
        if isinstance(self.output, RotatedFile):
            self.output.discard()

    def __call__(self, event: LogEvent) -> None:
        if str(event.get("format", "")).startswith(_NO_CACHE):
            self._noCache(event)
        else:
            self._write(event)

    def _noCache(self, event: LogEvent) -> None:
        """
        Recognise Twisted's message that it can't write its list of plugins. That makes
        the start some milliseconds slower and does no harm; Twisted repeats it at every
        look-up of plugins.
        """
        if not self._saidCache:
            self._saidCache = True
            _log.debug(
                "Twisted's list of plugins {path} is not kept, because this user can't write it; "
                "to write it, run twistd --help as a user that can",
                path=event.get("path"),
            )

    def start(self, reactor: Any) -> None:
        """
        Answer SIGUSR1 from now on.
        """
        if isinstance(self.output, RotatedFile):
            self._signal = UserSignal(self.output.rotate)
            self._signal.start(reactor)

    def stop(self) -> None:
        """
        Stop answering SIGUSR1. Lines are written until the process ends.
        """
        if self._signal is not None:
            self._signal.stop()
            self._signal = None
