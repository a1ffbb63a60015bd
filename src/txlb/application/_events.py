"""
Events in the log.
"""

from __future__ import annotations

from twisted.logger import Logger, LogLevel

from txlb.deadlines import Backlog, Deadlines
from txlb.pool import Event

# As an attribute of the class it would have the class's namespace.
_log = Logger(namespace="txlb.events")


class EventLog:
    """
    An observer that writes each event as one line. The event itself is in the line's
    C{event}, for logs that programs read. If very many events come at once, the log has them
    over several turns of the reactor.

    @param deadlines: the timers.
    """

    def __init__(self, deadlines: Deadlines) -> None:
        self._backlog: Backlog[Event] = Backlog(deadlines, _write)

    def __call__(self, event: Event) -> None:
        self._backlog.add((event,))

    def flush(self) -> None:
        """
        Write all events that wait.
        """
        self._backlog.flush()


def _write(event: Event) -> None:
    level = LogLevel.warn if event.kind.isWarning else LogLevel.info
    _log.emit(level, "{event}", event=event)
