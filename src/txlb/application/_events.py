"""
Events in the log.
"""

from __future__ import annotations

from twisted.logger import Logger, LogLevel

from txlb.cloning import LateClones, leftOut
from txlb.deadlines import Backlog, Deadlines
from txlb.pool import Event

# As an attribute of the class it would have the class's namespace.
_log = Logger(namespace="txlb.events")


class EventLog:
    """
    An observer that writes each event as one line. The event itself is in the line's
    C{event}, for logs that programs read. If very many events come at once, the log has them
    over several turns of the reactor. Of clones that are late, and go on, again and again it
    has a line each ten seconds.

    @param deadlines: the timers.
    """

    def __init__(self, deadlines: Deadlines) -> None:
        self._backlog: Backlog[tuple[Event, int]] = Backlog(deadlines, _write)
        self._late = LateClones(deadlines.after, self._add)

    def __call__(self, event: Event) -> None:
        if not self._late.takes(event):
            self._add(event, 0)

    def _add(self, event: Event, before: int) -> None:
        self._backlog.add(((event, before),))

    def flush(self) -> None:
        """
        Write all events that wait.
        """
        self._late.flush()
        self._backlog.flush()


def _write(item: tuple[Event, int]) -> None:
    event, before = item
    level = LogLevel.warn if event.kind.isWarning else LogLevel.info
    _log.emit(level, "{event}{before}", event=event, before=leftOut(before))
