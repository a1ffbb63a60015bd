"""
The deadlines of hosts that drain.
"""

from __future__ import annotations

from collections.abc import Callable

from txlb.pool._host import Host
from txlb.pool._outcome import Outcome
from txlb.pool._timers import Timer, Timers


class Drains:
    """
    The deadlines of draining hosts, and the resets of connections at them or at once.
    Owned by the pool.

    A deadline stands until the host has no connections left, until it is met, or until
    the host is made C{ready}. A change of the host's weight or address, or its removal,
    leaves the deadline unchanged.

    @param wake: is called with the time of a deadline.

    @ivar cut: is called with a host and an outcome, and resets the host's connections
        soon; L{None} if there is no data plane.
    """

    def __init__(self, timers: Timers, wake: Callable[[float], object]) -> None:
        self._timers = timers
        self._wake = wake
        self._set: dict[int, Timer] = {}
        self.cut: Callable[[Host, Outcome], object] | None = None

    def deadlineOf(self, host: Host) -> float | None:
        """
        Return the time at which the remaining connections of a host are reset, in
        seconds of the pool's clock; L{None} for never.
        """
        timer = self._set.get(id(host))
        return None if timer is None else timer.when

    def setDeadline(self, host: Host, when: float) -> None:
        """
        Reset the connections that a host has left at a time.
        """
        timer = self._set.get(id(host))
        if timer is None:
            timer = self._set[id(host)] = Timer(lambda _now: self._end(host))
        self._timers.set(timer, when)
        self._wake(when)

    def forget(self, host: Host) -> None:
        """
        Drop the deadline of a host, if it has one.
        """
        timer = self._set.pop(id(host), None)
        if timer is not None:
            self._timers.clear(timer)

    def reset(self, host: Host, outcome: Outcome) -> None:
        """
        Reset the connections of a host soon.
        """
        if host.active and self.cut is not None:
            self.cut(host, outcome)

    def _end(self, host: Host) -> None:
        del self._set[id(host)]
        self.reset(host, Outcome.DRAIN_TIMEOUT)
