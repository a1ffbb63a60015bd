"""
The log of the process, which twistd begins.
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

#: What twistd's own log is called, and when it is rotated, as twistd has it.
NAME = "twistd.log"
ROTATE_LENGTH = 1_000_000

#: How the event begins by which Twisted says that its list of plugins can't be kept.
_NO_CACHE = "Unable to write to plugin cache"

_log = Logger()


class Output(Protocol):
    """
    What takes the text of a log.
    """

    def write(self, text: str, /) -> object:
        """
        Take some lines.
        """

    def flush(self) -> object:
        """
        Let them go on.
        """


@implementer(ILogObserver)
class ProcessLog:
    """
    Writes the log of the process in twistd's place, to the same file and in the same
    format. twistd opens a file with root's rights, wherever a link leads, and has an offset
    of its own in it. On SIGUSR1 the file is rotated, as twistd does; if it was moved from
    outside, it is opened anew.

    @param output: takes the text; L{None} for nothing, as if standard output is closed.
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
        Make the one that twistd's own options ask for.

        @return: L{None} if they ask for syslog or for another observer, or for what twistd
            refuses.
        @raise LogFileError: the file can't be opened for writing.
        """
        name, inFront = options.get("logfile"), options.get("nodaemon") or options.get("debug")
        if options.get("logger") or options.get("syslog") or (name == "-" and not inFront):
            return None
        if name == "-" or (inFront and not name):
            return cls(cast("Output | None", sys.stdout))
        return cls(RotatedFile(name or NAME, ROTATE_LENGTH, None, owner))

    def __call__(self, event: LogEvent) -> None:
        if str(event.get("format", "")).startswith(_NO_CACHE):
            self._noCache(event)
        else:
            self._write(event)

    def _noCache(self, event: LogEvent) -> None:
        """
        Twisted can't keep its list of plugins, which makes the start some milliseconds
        slower and is no trouble. It says so at every look at the plugins.
        """
        if not self._saidCache:
            self._saidCache = True
            _log.debug(
                "Twisted's list of plugins {path} is not kept, as this user can't write it; a user "
                "that can makes it by: twistd --help",
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
        Answer SIGUSR1 no more. Lines are written until the process ends.
        """
        if self._signal is not None:
            self._signal.stop()
            self._signal = None
