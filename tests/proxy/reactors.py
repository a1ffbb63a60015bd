"""
Reactors of Twisted's own that a test turns by hand, with a clock that it sets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.pollreactor import PollReactor
from twisted.internet.selectreactor import SelectReactor

#: Turns that any step may take.
TURNS = 20_000

#: Turns after which it waits for the system, which moves bytes when it gets to it, in each
#: of them for so many seconds at most.
HASTE = 500
WAIT = 0.001


class Turned:
    """
    What such a reactor has beside its own; mixed into one. It is not installed.

    @ivar now: its time.
    """

    now = 0.0

    def seconds(self) -> float:
        """
        See L{IReactorTime.seconds}.
        """
        return self.now

    def turn(self: Any, times: int = 1, wait: float = 0) -> None:
        """
        Make the calls that are due, then look for what is ready; as a reactor does.

        @param wait: seconds to wait at most until something is.
        """
        for _ in range(times):
            self.runUntilCurrent()
            self.doIteration(wait)

    def turnUntil(self, condition: Callable[[], bool]) -> bool:
        """
        Turn until something is so.

        @return: whether it is.
        """
        for number in range(TURNS):
            if condition():
                return True
            self.turn(1, 0 if number < HASTE else WAIT)
        return False

    def tellOfFormer(self: Any, selectable: Any) -> None:
        """
        Tell a selectable of the events of a socket that was closed earlier in the turn, and
        whose descriptor it has got: that it can be written to, and that its peer is gone.
        Under epoll and poll a reactor takes both for the selectable's own.
        """
        for event in (self._POLL_OUT, self._POLL_DISCONNECTED):
            self._doReadOrWrite(selectable, selectable.fileno(), event)

    def close(self: Any) -> None:
        """
        Free what it has.
        """
        self.removeAll()
        self.waker.connectionLost(None)
        poller: Any = getattr(self, "_poller", None)
        if hasattr(poller, "close"):
            poller.close()


class TurnedEPoll(Turned, EPollReactor):
    """
    See L{Turned}.
    """


class TurnedPoll(Turned, PollReactor):
    """
    See L{Turned}.
    """


class TurnedSelect(Turned, SelectReactor):
    """
    See L{Turned}.
    """


#: One of each kind.
KINDS: tuple[Any, ...] = (TurnedEPoll, TurnedPoll, TurnedSelect)

#: Those that tell by the number of a descriptor what has happened to it.
BY_NUMBER: tuple[Any, ...] = KINDS[:2]
