"""
The balancer's own log file.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from twisted.application.service import Service
from twisted.logger import (
    ILogObserver,
    LogEvent,
    eventAsText,
    formatEvent,
    globalLogPublisher,
)
from zope.interface import implementer

from txlb._reactor import pickedReactor
from txlb.application._access import AccessLog
from txlb.pool import Event
from txlb.process import Owner, RotatedFile, UserSignal

NAMESPACE = "txlb."


@implementer(ILogObserver)
class LogFileService(Service):
    """
    The writer of the balancer's log to a file of its own, beside the log of the
    process. The file is rotated by size, and opened anew on SIGUSR1, for programs that
    rotate it from outside. Writing never raises; see L{txlb.process.RotatedFile}.

    @param path: the file, or a device or a pipe, such as C{/dev/stdout}.
    @param style: C{text} or C{json}, one object a line.
    @param rotateLength: bytes after which a new file is begun; 0 for never.
    @param maxRotated: the number of old files to keep.
    @param reactor: by default the global one, from when the service starts.
    @param owner: the user that the process belongs to later; by default its present
        one.
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
        owner: Owner | None = None,
    ) -> None:
        self._json = style == "json"
        self._reactor = reactor
        self._file = RotatedFile(path, rotateLength, maxRotated, owner)
        self._signal = UserSignal(self.reopen)
        self.access = AccessLog(self.writeLine, style)

    @property
    def isRotated(self) -> bool:
        """
        Whether it is a file that is rotated by size.
        """
        return self._file.isRotated

    def discard(self) -> None:
        """
        Close the file, because no service starts. Remove it if it was not there before and
        is empty.
        """
        self._file.discard()

    def writeLine(self, line: str) -> None:
        """
        Write a line.

        @param line: without its end.
        """
        self._file.write(line + "\n")

    def __call__(self, event: LogEvent) -> None:
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
        self._signal.start(self._reactor)
        if self._signal.cameEarly:
            self.reopen()

    def stopService(self) -> None:
        """
        Stop writing, and restore the handler of SIGUSR1.
        """
        super().stopService()
        globalLogPublisher.removeObserver(self)
        self._signal.stop()

    def reopen(self) -> None:
        """
        Open the file by its name once more. If that fails, write to the old one.
        """
        self._file.reopen()


def _asJSON(event: LogEvent) -> str:
    time = datetime.fromtimestamp(event.get("log_time", 0.0), UTC)
    level = event.get("log_level")
    fields = {
        "time": time.isoformat(timespec="milliseconds"),
        "level": getattr(level, "name", "info"),
        "from": event.get("log_namespace", ""),
        "text": formatEvent(event),
    }
    told = event.get("event")
    if isinstance(told, Event):
        fields["event"] = told.asDict()
    return json.dumps(fields)
