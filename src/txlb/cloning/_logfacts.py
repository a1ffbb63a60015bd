"""
Which process a line of a log is of.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import (
    FileLogObserver,
    ILogObserver,
    LogEvent,
    LogPublisher,
    globalLogPublisher,
    textFileLogObserver,
)
from zope.interface import implementer

from txlb.cloning._identity import Identity, Role


@implementer(ILogObserver)
class LogFacts:
    """
    Adds to the events of L{twisted.logger} which process of the application they are of:
    C{txlb_role}, C{txlb_slot} and C{txlb_generation}. Logs that are texts show it before the
    system, such as C{[clone 3/g2 -]}; so a log that all processes write is readable.

    Nothing that events have is changed, so observers of the application see what they saw
    before, and these fields besides.

    @param identity: the process. It may change.
    @param publisher: passes events on to the observers.
    """

    def __init__(self, identity: Identity, publisher: LogPublisher = globalLogPublisher) -> None:
        self._identity = identity
        self._publisher = publisher
        self._texts: list[tuple[Any, Any]] = []

    def start(self) -> None:
        """
        Begin, unless that is done. Observers that are added later get the fields too.
        """
        # Before all others: a publisher has no method for that.
        observers: list[Any] = self._publisher._observers  # noqa: SLF001 - see above
        if self in observers:
            return
        for observer in observers:
            if isinstance(observer, FileLogObserver) and _isText(observer.formatEvent):
                self._texts.append((observer, observer.formatEvent))
                observer.formatEvent = self._shown(observer.formatEvent)
        observers.insert(0, self)

    def stop(self) -> None:
        """
        Leave events and texts as they are from now on.
        """
        self._publisher.removeObserver(self)
        for observer, formatEvent in self._texts:
            observer.formatEvent = formatEvent
        self._texts.clear()

    def __call__(self, event: LogEvent) -> None:
        identity = self._identity
        if identity.role is not Role.ALONE:
            event["txlb_role"] = identity.role.value
            event["txlb_slot"] = identity.slot
            event["txlb_generation"] = identity.generation

    def _shown(self, formatEvent: Any) -> Any:
        def shown(event: LogEvent) -> Any:
            if "txlb_role" not in event:
                return formatEvent(event)
            return formatEvent({**event, "log_system": f"{labelOf(event)} {_systemOf(event)}"})

        return shown


def _isText(formatEvent: Any) -> bool:
    """
    Whether an observer writes texts, as C{twistd}'s does, and not JSON.
    """
    return str(getattr(formatEvent, "__qualname__", "")).startswith(textFileLogObserver.__name__)


def labelOf(event: LogEvent) -> str:
    """
    Name the process of an event: C{clone 3/g2}, C{manager g2}, or C{manager 3/g2} for the
    clone that manages for a while.
    """
    slot, generation = event["txlb_slot"], event["txlb_generation"]
    place = f"{slot}/g{generation}" if slot >= 0 else f"g{generation}"
    return f"{event['txlb_role']} {place}"


def _systemOf(event: LogEvent) -> str:
    """
    Return the system of an event as L{twisted.logger} shows it.
    """
    system = event.get("log_system")
    if system is not None:
        return str(system)
    level = event.get("log_level")
    return f"{event.get('log_namespace', '-')}#{level.name if level is not None else '-'}"
