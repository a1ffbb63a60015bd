"""
The balancer's own log file.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from twisted.application.service import Service
from twisted.logger import (
    ILogObserver,
    LogEvent,
    Logger,
    eventAsText,
    formatEvent,
    globalLogPublisher,
)
from twisted.python.logfile import LogFile
from zope.interface import implementer

from txlb._reactor import pickedReactor
from txlb.application._access import AccessLog
from txlb.errors import TxlbError
from txlb.pool import Event

NAMESPACE = "txlb."

_log = Logger()


class LogFileError(TxlbError):
    """
    The log file can't be written.
    """


@implementer(ILogObserver)
class LogFileService(Service):
    """
    Writes what the balancer logs to a file of its own, beside the log of the
    process. The file is rotated by size, and opened anew on SIGUSR1, for those
    who rotate it from outside.

    @param path: the file.
    @param style: C{text} or C{json}, one object a line.
    @param rotateLength: bytes after which a new file is begun; 0 for never.
    @param maxRotated: how many old files are kept.
    @param reactor: by default the global one, from when the service starts.
    @raise LogFileError: the file can't be opened for writing.

    @ivar access: writes records of connections to the file; see
        L{txlb.application.AccessLog}.
    """

    def __init__(
        self,
        path: str,
        style: str = "text",
        rotateLength: int = 10 * 1024 * 1024,
        maxRotated: int = 5,
        reactor: Any = None,
    ) -> None:
        self._json = style == "json"
        self._reactor = reactor
        self._restore: Callable[[], object] | None = None
        try:
            self._file = LogFile(
                os.path.basename(path),
                os.path.dirname(os.path.abspath(path)),
                rotateLength=rotateLength or None,
                maxRotatedFiles=maxRotated,
            )
        except OSError as error:
            raise LogFileError(f"can't write the log file {path}: {error.strerror}") from error
        self.access = AccessLog(self.writeLine, style)

    def writeLine(self, line: str) -> None:
        """
        Write a line.

        @param line: without its end.
        """
        self._file.write(line + "\n")

    def __call__(self, event: LogEvent) -> None:
        """
        See L{ILogObserver}.
        """
        if str(event.get("log_namespace", "")).startswith(NAMESPACE):
            line = _asJSON(event) if self._json else eventAsText(event)
            self.writeLine(line.replace("\n", "\n\t"))

    def startService(self) -> None:
        """
        Begin to write.
        """
        super().startService()
        self._reactor = pickedReactor(self._reactor)
        globalLogPublisher.addObserver(self)
        before = signal.getsignal(signal.SIGUSR1)

        def handler(number: int, frame: FrameType | None) -> None:
            self._reactor.callFromThread(self.reopen)
            if callable(before):
                before(number, frame)

        signal.signal(signal.SIGUSR1, handler)
        self._restore = lambda: signal.signal(signal.SIGUSR1, before)

    def stopService(self) -> None:
        """
        Write no more, and give SIGUSR1 back.
        """
        super().stopService()
        globalLogPublisher.removeObserver(self)
        if self._restore is not None:
            self._restore()
            self._restore = None
        self._file.flush()

    def reopen(self) -> None:
        """
        Open the file by its name once more. Where that can't be done the old
        one is written on.
        """
        try:
            # LogFile closes the old file first; a try on a second one shows
            # whether it may.
            with open(self._file.path, "ab"):
                pass
            self._file.reopen()
        except OSError as error:
            _log.error(
                "can't open the log file {path} anew: {reason}",
                path=self._file.path,
                reason=error.strerror,
            )


def _asJSON(event: LogEvent) -> str:
    time = datetime.fromtimestamp(event.get("log_time", 0.0), UTC)
    level = event.get("log_level")
    fields = {
        "time": time.isoformat(timespec="milliseconds"),
        "level": getattr(level, "name", "info"),
        "from": event.get("log_namespace", ""),
        "text": formatEvent(event),
    }
    what = event.get("event")
    if isinstance(what, Event):
        fields["event"] = what.asDict()
    return json.dumps(fields)
