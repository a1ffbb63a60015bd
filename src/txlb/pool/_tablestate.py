"""
A state that follows a table.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

State = TypeVar("State")
Event = TypeVar("Event")


class TableState(ABC, Generic[State, Event]):
    """
    A state that events change as a table says. The base of L{PassiveHealth} and L{Health}, which
    have the tables.

    @cvar transitions: the next state, by state and event. If it has no line for an event, the
        event changes nothing.
    @ivar state: the state.
    @ivar since: the time of the last change of state, in seconds of the pool's clock.
    """

    __slots__ = ("since", "state")
    transitions: ClassVar[Mapping[Any, Any]]

    def __init__(self, state: State, now: float) -> None:
        self.state = state
        self.since = now

    def happened(self, event: Event, now: float) -> bool:
        """
        Follow the table.

        @return: whether the state changed.
        """
        to: State | None = self.transitions.get((self.state, event))
        if to is None:
            return False
        self.state = to
        self.since = now
        self.entered(event, now)
        return True

    @abstractmethod
    def entered(self, event: Event, now: float) -> None:
        """
        Do what belongs to the new state. It is called at each change.
        """
