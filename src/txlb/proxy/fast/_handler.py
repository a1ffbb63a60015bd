"""
What gets the events of a descriptor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Handler(Protocol):
    """
    What gets the events of a descriptor. The loop keeps the object itself, as a bound method of it
    would take 64 bytes for each descriptor. If it has a method C{breakDown}, that is called if
    C{event} raises.
    """

    def event(self, event: int) -> object:
        """
        Handle an event.

        @param event: the bits of epoll.
        """


class Calls:
    """
    A handler that calls a function, for an object that has several.
    """

    __slots__ = ("event",)

    def __init__(self, function: Callable[[int], object]) -> None:
        self.event = function

    def breakDown(self) -> None:
        """
        Let the owner of the function end its connection.
        """
        breakDown(getattr(self.event, "__self__", None))


def breakDown(owner: object) -> None:
    """
    End the connection of an object that raised, if it has one.
    """
    end = getattr(owner, "breakDown", None)
    if end is not None:
        end()
