"""
Changes, as data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from txlb._facts import Facts
from txlb.errors import StateError

Details = Mapping[str, object]


class EventKind(Enum):
    """
    A kind of change. Its value is its word in logs and data.
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
    SOURCE_DOWN = "source-down"
    SOURCE_UP = "source-up"
    ANSWER_HELD = "answer-held"
    ENTRY_SKIPPED = "entry-skipped"
    CLUSTER_JOINED = "cluster-joined"
    CLUSTER_LOST = "cluster-lost"
    LEADER_ELECTED = "leader-elected"
    LEADER_LEFT = "leader-left"

    @property
    def isWarning(self) -> bool:
        """
        Whether an administrator should look at it.
        """
        return self in _WARNINGS


_WORDS = frozenset(kind.value for kind in EventKind)

_WARNINGS = frozenset(
    {
        EventKind.HOST_DOWN,
        EventKind.HOST_UNRESOLVED,
        EventKind.GROUP_DOWN,
        EventKind.BACKUP_USED,
        EventKind.CIRCUIT_OPENED,
        EventKind.SCHEDULER_FAILED,
        EventKind.SOURCE_DOWN,
        EventKind.ANSWER_HELD,
        EventKind.ENTRY_SKIPPED,
        EventKind.CLUSTER_LOST,
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    """
    One change that has happened.

    @ivar kind: the kind of change.
    @ivar key: the names of the service, and of the group and host if it concerns one.
    @ivar message: the change in words.
    @ivar when: its time, in seconds of the balancer's monotonic clock.
    @ivar details: plain values, for programs. If a setting was changed, C{before} and
        C{after} are its values; L{None} stands for a setting or thing that did not
        exist before, or does not exist afterwards.
    @ivar by: the user that made it, such as C{ssh:alice}; empty for the balancer itself.
    """

    kind: EventKind
    key: tuple[str, ...]
    message: str
    when: float
    details: Details = field(default_factory=dict)
    by: str = ""

    def asDict(self) -> dict[str, object]:
        """
        Return the event as values that any format can hold.
        """
        return {
            "kind": self.kind.value,
            "key": list(self.key),
            "message": self.message,
            "when": self.when,
            "details": dict(self.details),
            "by": self.by,
        }

    @classmethod
    def of(cls, facts: Facts) -> Event | None:
        """
        Make an event of what L{asDict} has returned in another process.

        @return: L{None} for a kind that this release does not know.
        @raise StateError: a value can't be right.
        """
        word = facts.text("kind")
        if word not in _WORDS:
            return None
        details = facts.inside("details").values
        if not all(type(name) is str for name in details):
            raise facts.wrong("details", "a dictionary whose keys are texts")
        key = tuple(facts.texts("key", 3))
        if not key:
            raise StateError("an event is about nothing")
        message, by = facts.text("message"), facts.text("by")
        return cls(EventKind(word), key, message, facts.number("when"), dict(details), by)

    def __str__(self) -> str:
        by = f", by {self.by}" if self.by else ""
        return f"{self.kind.value} {'/'.join(self.key)}: {self.message}{by}"


def changed(before: object, after: object) -> Details:
    """
    Return the details of a changed setting.
    """
    return {"before": before, "after": after}
