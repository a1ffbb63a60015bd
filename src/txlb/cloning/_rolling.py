"""
A rolling restart of clones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from txlb.cloning._record import Record
from txlb.cloning._rendezvous import CloningError

#: Seconds for which a new clone has to serve before the old one goes. It gets connections
#: from the moment when it has joined, so a release that fails at its first ones stops the
#: restart.
TRIAL = 0.5

_log = Logger()


class RollingRestart:
    """
    Replaces clones one by one by ones of the next generation. Each old one goes when a new
    one has joined and served for a while. If a new one does not, the restart stops, and the
    old ones that are left go on. A L{CloneManager} owns it.

    @param generation: that of the new clones.
    @param old: the clones to replace.
    @param freeSlot: returns a place for a new clone.
    @param start: starts one in a place. It calls L{ended} if that fails.
    @param drain: lets an old clone finish.
    @param reactor: has the timers.
    @ivar whenOver: is called when it is over; with the reason if it has stopped, else with an
        empty text.
    @ivar isOver: whether it is.
    @ivar slot: the place of the new clone that is on its way, or serves on trial; -1 before
        the first one.
    """

    def __init__(
        self,
        generation: int,
        old: list[Record],
        freeSlot: Callable[[], int],
        start: Callable[[int], object],
        drain: Callable[[Record], object],
        reactor: Any,
    ) -> None:
        self.generation = generation
        self.whenOver: Callable[[str], object] = _ignore
        self.isOver = False
        self._old = old
        self._freeSlot = freeSlot
        self._start = start
        self._drain = drain
        self._reactor = reactor
        self._why = ""
        self.slot = -1
        self._call: Any = None
        self._waiting: list[Deferred[int]] = []

    def begin(self) -> None:
        """
        Start the first new clone.
        """
        _log.info(
            "rolling restart: {count} clones, generation {generation}",
            count=len(self._old),
            generation=self.generation,
        )
        self._next()

    def wait(self) -> Deferred[int]:
        """
        Wait for the end.

        @return: fires with the generation. It fails with a L{CloningError} if the restart
            stops.
        """
        waiting: Deferred[int] = Deferred(self._forget)
        self._waiting.append(waiting)
        if self.isOver:
            self._answer()
        return waiting

    def _forget(self, waiting: Deferred[int]) -> None:
        if waiting in self._waiting:
            self._waiting.remove(waiting)

    def _answer(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if self._why:
                each.errback(
                    CloningError(
                        f"a clone of generation {self.generation} does not start: {self._why}; "
                        "the clones that are there go on"
                    )
                )
            else:
                each.callback(self.generation)

    def _next(self) -> None:
        while self._old and (self._old[0].draining or not self._old[0].link.isOpen):
            self._old.pop(0)
        if not self._old:
            self._end("")
            return
        self.slot = self._freeSlot()
        self._start(self.slot)

    def joined(self, slot: int) -> None:
        """
        Note that a clone has joined.
        """
        if self.isAbout(slot) and self._call is None:
            self._call = self._reactor.callLater(TRIAL, self._passed)

    def isAbout(self, slot: int) -> bool:
        """
        Whether a clone is the new one that is on its way, or serves on trial.
        """
        return slot == self.slot and slot >= 0 and not self.isOver

    def ended(self, how: str) -> None:
        """
        Note that the new clone has ended.

        @param how: why, for people.
        """
        self._end(how)

    def _passed(self) -> None:
        self._call, self.slot = None, -1
        if self._old:
            self._drain(self._old.pop(0))
        self._next()

    def stop(self, why: str) -> None:
        """
        End, as the manager does.
        """
        if not self.isOver:
            self._end(why)

    def _end(self, why: str) -> None:
        self.isOver, self._why = True, why
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self._old.clear()
        if why:
            _log.error(
                "rolling restart: a clone of the new generation does not start: {how}; the "
                "clones that are there go on",
                how=why,
            )
        else:
            _log.info("rolling restart: generation {n} serves", n=self.generation)
        self.whenOver(why)
        self._answer()


def _ignore(_why: str) -> None:
    pass
