"""
A limit for what the log says of clones that are late.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from txlb.pool import Event, EventKind

#: What the check of a clone says that does not use its permits: its permits were not used in
#: time; the manager can't send it any; it has accepted nothing. And that it is over.
UNUSED = "it did not use a permit in time"
READS_NOTHING = "it reads nothing"
EXHAUSTED = "it has no descriptors left"
GOES_ON = "it goes on"

#: The least seconds between two lines about one clone on one listener.
INTERVAL = 10.0

_LATENESS = frozenset({UNUSED, READS_NOTHING, EXHAUSTED, GOES_ON})
_OF_HOSTS = frozenset({EventKind.HOST_DOWN, EventKind.HOST_UP})
_OF_GROUPS = frozenset({EventKind.GROUP_DOWN, EventKind.GROUP_UP})


class Call(Protocol):
    """
    A call that comes later.
    """

    def cancel(self) -> object:
        """
        Let it not come.
        """


@dataclass
class _Limit:
    """
    What has happened since a line.

    @ivar call: ends the interval.
    @ivar count: events that have no line.
    @ivar last: the last of them.
    """

    call: Call
    count: int = 0
    last: Event | None = None


class LateClones:
    """
    Limits the lines about clones that are late, and then go on: on a busy CPU that happens
    many times a second. The first event of a clone is said at once. Of further ones the last
    one is said at the end of the interval, with the number of those before it. Events of a
    group that come with them are limited as well. Owned by its user, which calls L{flush} at
    its end.

    @param later: makes a call after so many seconds.
    @param say: is called with an event, and the number of events before it that were left
        out.
    """

    def __init__(
        self,
        later: Callable[[float, Callable[[], object]], Call],
        say: Callable[[Event, int], object],
    ) -> None:
        self._later = later
        self._say = say
        self._limits: dict[tuple[str, ...], _Limit] = {}

    def takes(self, event: Event) -> bool:
        """
        Say an event, or count it, if a clone that is late is the reason.

        @return: whether it is; the caller says all others.
        """
        if not self._isLateness(event):
            return False
        limit = self._limits.get(event.key)
        if limit is None:
            self._begin(event.key)
            self._say(event, 0)
        else:
            limit.count += 1
            limit.last = event
        return True

    def _isLateness(self, event: Event) -> bool:
        if event.kind in _OF_HOSTS:
            return event.details.get("check") in _LATENESS
        # A group goes down if all of its clones are late.
        return event.kind in _OF_GROUPS and any(
            len(key) > len(event.key) and key[: len(event.key)] == event.key for key in self._limits
        )

    def _begin(self, key: tuple[str, ...]) -> None:
        self._limits[key] = _Limit(self._later(INTERVAL, partial(self._tell, key)))

    def _tell(self, key: tuple[str, ...]) -> None:
        limit = self._limits.pop(key)
        if limit.last is not None:
            self._begin(key)
            self._say(limit.last, limit.count - 1)

    def flush(self) -> None:
        """
        Say now what is not said yet.
        """
        limits, self._limits = self._limits, {}
        for limit in limits.values():
            limit.call.cancel()
            if limit.last is not None:
                self._say(limit.last, limit.count - 1)


def leftOut(count: int) -> str:
    """
    Tell how many events have no line; nothing if all have.
    """
    if not count:
        return ""
    events = "1 event" if count == 1 else f"{count} events"
    return f" ({events} of it in {INTERVAL:g} s before this one: left out)"
