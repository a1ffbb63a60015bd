"""
The last events, for another process.
"""

from __future__ import annotations

from zope.interface import implementer

from txlb._facts import Facts
from txlb.interfaces import IKeptState
from txlb.manager._observers import HISTORY, Observers
from txlb.pool import Event


@implementer(IKeptState)
class KeptEvents:
    """
    Hands the last events over. Owned by the manager.
    """

    name = "events"

    def __init__(self, observers: Observers) -> None:
        self._observers = observers

    def state(self) -> object:
        return {"last": [event.asDict() for event in self._observers.history]}

    def restore(self, state: object) -> None:
        rows = Facts(state, self.name).items("last", HISTORY)
        events = [Event.of(Facts(row, "an event")) for row in rows]
        self._observers.restore(event for event in events if event is not None)
