"""
A change of everything, in slices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from txlb.model import ProxyService
from txlb.pool import Event

#: Makes a configuration run, and returns the events.
Follow = Callable[[tuple[ProxyService, ...]], tuple[Event, ...]]


class Applying:
    """
    A change of all services that is under way. L{txlb.manager.ProxyManager.applying}
    returns it; its driver owns it, calls L{goOn} until that returns false, and then
    L{finish}; or it calls L{stop}. Until then the manager refuses other changes.

    After each slice the services, their pools and the events agree. A change that is
    stopped leaves the services as the last slice has made them.

    @param wanted: the services that are wanted.
    @param way: the configurations in between.
    @param follow: makes a configuration run.
    @param ended: is called once, when the change has ended or was stopped.

    @ivar wanted: see above. Those that are equal to services that ran before the change
        are the very same values.
    @ivar events: the events of the slices so far.
    """

    def __init__(
        self,
        wanted: tuple[ProxyService, ...],
        way: Iterable[tuple[ProxyService, ...]],
        follow: Follow,
        ended: Callable[[], object],
    ) -> None:
        self.wanted = wanted
        self._way: Iterator[tuple[ProxyService, ...]] | None = iter(way)
        self._follow = follow
        self._ended = ended
        self.events: list[Event] = []

    def goOn(self) -> bool:
        """
        Do the next slice, but not the last one. No service is removed by that.

        @return: whether there may be more to do before the last one.
        """
        services = None if self._way is None else next(self._way, None)
        if services is None:
            return False
        self.events.extend(self._follow(services))
        return True

    def finish(self) -> None:
        """
        Do what is left, which is the last slice after L{goOn} has returned false. If the
        change was stopped this does nothing.
        """
        if self._way is not None:
            try:
                self.events.extend(self._follow(self.wanted))
            finally:
                self.stop()

    def stop(self) -> None:
        """
        Do no more. If the change has ended this does nothing.
        """
        if self._way is not None:
            self._way = None
            self._ended()
