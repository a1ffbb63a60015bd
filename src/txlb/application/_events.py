"""
Events in the log.
"""

from __future__ import annotations

from twisted.logger import Logger, LogLevel

from txlb.pool import Event

# As an attribute of the class it would have the class's namespace.
_log = Logger(namespace="txlb.events")


class EventLog:
    """
    An observer that writes each event as one line. The event itself is in the line's
    C{event}, for logs that programs read.
    """

    def __call__(self, event: Event) -> None:
        level = LogLevel.warn if event.kind.isWarning else LogLevel.info
        _log.emit(level, "{event}", event=event)
