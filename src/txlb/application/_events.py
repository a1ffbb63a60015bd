"""
Events in the log.
"""

from __future__ import annotations

from twisted.logger import Logger, LogLevel

from txlb.pool import Event, EventKind

#: The kinds of event that an administrator should look at.
WARNINGS = frozenset(
    {
        EventKind.HOST_DOWN,
        EventKind.HOST_UNRESOLVED,
        EventKind.GROUP_DOWN,
        EventKind.BACKUP_USED,
        EventKind.CIRCUIT_OPENED,
        EventKind.SCHEDULER_FAILED,
    }
)

# As an attribute of the class it would have the class's namespace.
_log = Logger(namespace="txlb.events")


class EventLog:
    """
    An observer that writes each event as one line. The event itself goes with
    it as C{event}, for logs that are read by programs.
    """

    def __call__(self, event: Event) -> None:
        level = LogLevel.warn if event.kind in WARNINGS else LogLevel.info
        _log.emit(level, "{event}", event=event)
