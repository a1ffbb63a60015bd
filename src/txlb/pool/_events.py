"""
What has changed, as data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

Details = Mapping[str, object]


class EventKind(Enum):
    """
    The kinds of change. The value is the word for it in logs and data.
    """

    HOST_ADDED = "host-added"
    HOST_REMOVED = "host-removed"
    HOST_GONE = "host-gone"
    HOST_DOWN = "host-down"
    HOST_TRIAL = "host-trial"
    HOST_UP = "host-up"
    HOST_RESOLVED = "host-resolved"
    HOST_UNRESOLVED = "host-unresolved"
    HOST_WEIGHT = "host-weight"
    HOST_MOVED = "host-moved"
    HOST_LOAD_KNOWN = "host-load-known"
    HOST_LOAD_LOST = "host-load-lost"
    HOST_STATE = "host-state"
    HOST_DRAINED = "host-drained"
    CIRCUIT_OPENED = "circuit-opened"
    CIRCUIT_CLOSED = "circuit-closed"
    GROUP_DOWN = "group-down"
    GROUP_UP = "group-up"
    BACKUP_USED = "backup-used"
    BACKUP_LEFT = "backup-left"
    GROUP_SWITCHED = "group-switched"
    SCHEDULER_CHANGED = "scheduler-changed"
    SCHEDULER_FAILED = "scheduler-failed"
    LISTENER_MOVED = "listener-moved"
    LISTENER_ADDED = "listener-added"
    LISTENER_REMOVED = "listener-removed"
    GROUP_ADDED = "group-added"
    GROUP_REMOVED = "group-removed"
    SERVICE_ADDED = "service-added"
    SERVICE_REMOVED = "service-removed"
    SETTING_CHANGED = "setting-changed"
    ORDER_CHANGED = "order-changed"


@dataclass(frozen=True, slots=True)
class Event:
    """
    One change that has happened.

    @ivar kind: what kind of change.
    @ivar key: the names of service, group and host, as many as it is about.
    @ivar message: what happened, for people.
    @ivar when: when, in seconds of the balancer's monotonic clock.
    @ivar details: plain values, for programs. Where something that is configured
        was changed, C{before} and C{after} say from what to what; L{None} is for
        what was not or is no more there.
    @ivar by: who changed it, such as C{ssh:alice}; empty for the balancer itself.
    """

    kind: EventKind
    key: tuple[str, ...]
    message: str
    when: float
    details: Details = field(default_factory=dict)
    by: str = ""

    def asDict(self) -> dict[str, object]:
        """
        The event in values that any format can hold.
        """
        return {
            "kind": self.kind.value,
            "key": list(self.key),
            "message": self.message,
            "when": self.when,
            "details": dict(self.details),
            "by": self.by,
        }

    def __str__(self) -> str:
        by = f", by {self.by}" if self.by else ""
        return f"{self.kind.value} {'/'.join(self.key)}: {self.message}{by}"


def changed(before: object, after: object) -> Details:
    """
    The details of a change of something that is configured.
    """
    return {"before": before, "after": after}
