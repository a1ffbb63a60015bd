"""
The source of a pool's events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from txlb.pool._events import Details, Event, EventKind

#: The kinds of event that a pool still publishes about a host that was removed.
OF_LEAVING = frozenset({EventKind.HOST_REMOVED, EventKind.HOST_GONE})


class Subject(Protocol):
    """
    The part of a L{txlb.pool.Host} that its events need.
    """

    key: tuple[str, str, str]
    leaving: bool


class Announcer:
    """
    The publisher of one pool's events. Owned by the pool; its parts share it.

    @ivar service: the name of the service.
    @ivar group: the name of the group.
    @ivar publish: is called with each L{Event}; L{None} if there is no subscriber.
    """

    __slots__ = ("group", "publish", "service")

    def __init__(self, service: str, group: str, publish: Callable[[Event], None] | None) -> None:
        self.service = service
        self.group = group
        self.publish = publish

    @property
    def where(self) -> str:
        """
        The pool's name for error messages.
        """
        if not self.group:
            return "the pool"
        return f"group {self.group!r} of service {self.service!r}"

    def ofHost(
        self,
        kind: EventKind,
        host: Subject,
        message: str,
        now: float,
        details: Details | None = None,
    ) -> None:
        """
        Publish an event about a host. Most events about a host that was removed
        are dropped: another host may have its name by now.
        """
        about = not host.leaving or kind in OF_LEAVING
        if about and self.publish is not None:
            self.publish(Event(kind, host.key, message, now, details or {}))

    def ofGroup(
        self, kind: EventKind, message: str, now: float, details: Details | None = None
    ) -> None:
        """
        Publish an event about the group.
        """
        if self.publish is not None:
            key = (self.service, self.group)
            self.publish(Event(kind, key, message, now, details or {}))
