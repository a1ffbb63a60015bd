"""
A state that follows a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

State = TypeVar("State")
Event = TypeVar("Event")


class TableState(Generic[State, Event]):
    """
    A state that events change as a table says. Each kind has its table in the class.

    @cvar transitions: the next state, by state and event. If it has no line for an event, the
        event changes nothing.
    @ivar state: the state.
    @ivar since: the time of the last change of state, in seconds of the owner's clock; 0 if the
        owner tells none.
    """

    __slots__ = ("since", "state")
    transitions: ClassVar[Mapping[Any, Any]]

    def __init__(self, state: State, now: float = 0.0) -> None:
        self.state = state
        self.since = now

    def happened(self, event: Event, now: float = 0.0) -> bool:
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

    def must(self, event: Event) -> None:
        """
        Follow the table, which has a line for this.

        @raise KeyError: it has none, which is a fault of the program.
        """
        if not self.takes(event):
            raise KeyError((self.state, event))
        self.happened(event)

    def takes(self, event: Event) -> bool:
        """
        Tell whether the table has a line for an event in this state.
        """
        return (self.state, event) in self.transitions

    def entered(self, event: Event, now: float) -> None:
        """
        Do what belongs to the new state. It is called at each change.
        """
