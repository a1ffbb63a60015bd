"""
A change of everything, in slices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from txlb.manager._way import Way
from txlb.model import ProxyService
from txlb.pool import Event

#: Makes a configuration run, and returns the events.
Follow = Callable[[tuple[ProxyService, ...]], tuple[Event, ...]]


#: Seconds that a slice takes at most, if it can be had. One that takes longer is followed by one
#: with half of the changes, down to L{FEWEST}: what a slice costs in any case, such as a look at
#: all hosts of a group, would be paid for too little otherwise.
LONGEST = 0.015
FEWEST = 20


class Applying:
    """
    A change of all services that is under way. L{txlb.manager.ProxyManager.applying}
    returns it; its driver owns it, calls L{goOn} until that returns false, then L{letGo} until
    that does, and then L{finish}; or it calls L{stop}. Until then the manager refuses other
    changes.

    First the schedulers that are new in a group get its hosts. If one of them raises nothing has
    changed. Then the services become as they are wanted, and after that those that are not wanted
    go. After each slice the services, their pools and the events agree. A change that is stopped
    leaves the services as the last slice has made them.

    @param wanted: the services that are wanted.
    @param preparing: prepares what may fail, step by step.
    @param way: the configurations in between.
    @param follow: makes a configuration run.
    @param ended: is called once, when the change has ended or was stopped.
    @param seconds: a monotonic clock.

    @ivar wanted: see above. Those that are equal to services that ran before the change
        are the very same values.
    @ivar events: the events of the slices so far.
    """

    def __init__(
        self,
        wanted: tuple[ProxyService, ...],
        preparing: Iterator[None],
        way: Way,
        follow: Follow,
        ended: Callable[[], object],
        seconds: Callable[[], float],
    ) -> None:
        self.wanted = wanted
        self._preparing = preparing
        self._way = way
        self._coming, self._going = way.coming(), way.going()
        self._most = way.most
        self._follow = follow
        self._ended = ended
        self._seconds = seconds
        self._over = False
        self.events: list[Event] = []

    def goOn(self) -> bool:
        """
        Do the next slice of what leads to the wanted services. No service is removed by that.

        @return: whether there may be more of them.
        @raise ModelError: a scheduler that is new in a group raises. Nothing was changed then, and
            the change is stopped.
        """
        return not self._over and (self._prepare() or self._slice(self._coming))

    def letGo(self) -> bool:
        """
        Do the next slice of what removes the services that are not wanted, after all of those
        of L{goOn}.

        @return: whether there may be more of them.
        @raise ModelError: as L{goOn} does.
        """
        return self.goOn() or (not self._over and self._slice(self._going))

    def _slice(self, slices: Iterator[tuple[ProxyService, ...]]) -> bool:
        began = self._seconds()
        services = next(slices, None)
        if services is None:
            return False
        self.events.extend(self._follow(services))
        self._pace(self._seconds() - began)
        return True

    def _prepare(self) -> bool:
        """
        Prepare some of what may fail, and return whether there may be more.
        """
        try:
            for _ in self._preparing:
                return True
        except BaseException:
            self.stop()
            raise
        return False

    def _pace(self, took: float) -> None:
        """
        Let the next slice be shorter if this one took long, or as long as ever again.
        """
        if took > LONGEST:
            self._way.most = max(self._way.most // 2, min(FEWEST, self._most))
        elif took < LONGEST / 2:
            self._way.most = min(2 * self._way.most, self._most)

    def finish(self) -> None:
        """
        Do all that is left, which is the order of the services after L{letGo} has returned
        false. If the change was stopped this does nothing.
        """
        if not self._over:
            try:
                self.events.extend(self._follow(self.wanted))
            finally:
                self.stop()

    def stop(self) -> None:
        """
        Do no more. If the change has ended this does nothing.
        """
        if not self._over:
            self._over = True
            self._ended()
