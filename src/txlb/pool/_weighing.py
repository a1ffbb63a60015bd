"""
What a host weighs now: its configured weight, after slow start and load.

A host that is new or came back starts slowly: its weight grows linearly over
C{slowStart} seconds, in steps, as HAProxy's C{slowstart} does. A host whose load
is known weighs what it has left of itself, smoothed exponentially, so that one
odd moment moves little; where nothing was heard of it for three intervals it
weighs as configured again. The weight is never 0 by either: that would take a
host out, which is for those to decide who know that it is ill. But a host that
itself says that nothing is left gets nothing new, as with C{0%} in HAProxy, as
long as others have something left.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING

from txlb.model import ProxyGroup, ResourceProbe
from txlb.pool._events import EventKind

if TYPE_CHECKING:
    from txlb.pool._host import Host

#: Steps in which a weight grows. Each has the share of its middle, so the first
#: is half a step and no weight is 0.
STEPS = 20

#: The least share that a load leaves of a weight.
LEAST_SHARE = 0.01

#: So many intervals without news make a load unknown.
SILENT_INTERVALS = 3

#: With so many entries the heap is looked through for the first time.
CROWD = 32

#: How loads are taken that are reported without having been asked for.
REPORTED = ResourceProbe()

#: Tells of a host: the kind of event, the host, a sentence.
Tell = Callable[[EventKind, "Host", str, float], None]


class HostLoad:
    """
    What is known of a host's load. Owned by the host's pool.

    @ivar available: the share of itself that it has left, 0 to 1, smoothed.
    @ivar latest: the same as it was last reported.
    @ivar at: when, in seconds of the pool's clock.
    """

    __slots__ = ("at", "available", "latest")

    def __init__(self, available: float, at: float) -> None:
        self.available = available
        self.latest = available
        self.at = at

    def heard(self, available: float, smoothing: float, at: float) -> None:
        """
        A report has come.
        """
        self.available += smoothing * (available - self.available)
        self.latest = available
        self.at = at

    @property
    def share(self) -> float:
        """
        What it leaves of the weight, above 0 to 1.
        """
        return max(self.available, LEAST_SHARE)


class Weighing:
    """
    Keeps the effective weights of a pool's hosts. Owned by the pool, which
    calls it before it tells of what has happened.

    @param settings: gives the settings of the group, as they are now.
    @param changed: is called with a host whose weight or readiness changed.
    @param tell: see L{Tell}.

    @ivar running: whether hosts that come start slowly. Those that a pool begins
        with don't.
    @ivar steps: when hosts weigh another time, as a heap; some entries may mean
        nothing any more.
    """

    def __init__(
        self,
        settings: Callable[[], ProxyGroup],
        changed: Callable[[Host], None],
        tell: Tell,
    ) -> None:
        self.running = False
        self._settings = settings
        self._changed = changed
        self._tell = tell
        # Times, a number so that hosts are never compared, the host. A host
        # has one entry that counts: the one that its weighAt says.
        self.steps: list[tuple[float, int, Host]] = []
        self._crowded = CROWD
        self._number = 0

    def started(self, host: Host, now: float) -> None:
        """
        A host is new, or came back: its weight grows from here. The caller
        brings its policy in line.
        """
        if self.running and self._settings().slowStart > 0:
            host.slowSince = now
            self._weigh(host, now)

    def cameIn(self, host: Host, first: bool, now: float) -> None:
        """
        Checks put a host in that was out.

        @param first: whether it was out only because it had not been checked
            yet. Then it starts slowly if it was added later, not if it was
            there from the beginning.
        """
        if not first or host.slowSince is not None:
            self.started(host, now)

    def reported(self, host: Host, available: float, now: float) -> None:
        """
        A host says what it has left.

        @param available: 0 to 1.
        """
        before = host.load
        if before is None:
            host.load = HostLoad(available, now)
        else:
            before.heard(available, self._rules.smoothing, now)
        self.refresh(host, now)
        # Afterwards: whoever is told looks what is due next.
        if before is None:
            message = f"its load is known: {1 - available:.0%}"
            self._tell(EventKind.HOST_LOAD_KNOWN, host, message, now)

    def refresh(self, host: Host, now: float) -> None:
        """
        A host's configured weight or its load changed.
        """
        if not host.leaving:
            self._weigh(host, now)
            self._changed(host)

    # Time

    def nextDeadline(self) -> float | None:
        """
        When L{advance} has something to do next.
        """
        return self.steps[0][0] if self.steps else None

    def advance(self, now: float) -> None:
        """
        Take the steps that are due by C{now}. Of steps that were missed only
        the last is taken.
        """
        while self.steps and self.steps[0][0] <= now:
            entry = heapq.heappop(self.steps)
            if _isCurrent(entry):
                host = entry[2]
                host.weighAt = None
                lost = self._forget(host, now)
                self.refresh(host, now)
                if lost:
                    message = f"its load is unknown: not heard of it for {lost:g} s"
                    self._tell(EventKind.HOST_LOAD_LOST, host, message, now)

    def _forget(self, host: Host, now: float) -> float:
        """
        @return: for how many seconds the load was not heard that is unknown now;
            0 where it is known or was not.
        """
        if host.load is None or now < host.load.at + self._patience:
            return 0.0
        silent = now - host.load.at
        host.load = None
        return silent

    # Inside

    @property
    def _patience(self) -> float:
        return SILENT_INTERVALS * self._rules.interval

    @property
    def _rules(self) -> ResourceProbe:
        return self._settings().resource or REPORTED

    def _weigh(self, host: Host, now: float) -> None:
        weight = host.weight * host.agentShare
        if host.slowSince is not None:
            share, until = _grown(host.slowSince, self._settings().slowStart, now)
            if until is None:
                host.slowSince = None
            else:
                self._wake(host, until)
            weight *= share
        if host.load is not None:
            weight *= host.load.share
            self._wake(host, host.load.at + self._patience)
        # While it drains it has the weight that it had, as 0 is none to choose by.
        if weight > 0:
            host.effectiveWeight = weight

    def _wake(self, host: Host, when: float) -> None:
        """
        Look at a host again at a time, or before.
        """
        if host.weighAt is None or when < host.weighAt:
            host.weighAt = when
            self._number += 1
            heapq.heappush(self.steps, (when, self._number, host))
            if len(self.steps) > self._crowded:
                self.steps = [entry for entry in self.steps if _isCurrent(entry)]
                heapq.heapify(self.steps)
                self._crowded = max(CROWD, 2 * len(self.steps))


def _isCurrent(entry: tuple[float, int, Host]) -> bool:
    when, _, host = entry
    return host.weighAt == when and not host.leaving


def _grown(since: float, slowStart: float, now: float) -> tuple[float, float | None]:
    """
    @return: the share of its weight that a host has, and when it has more;
        L{None} where it has all.
    """
    step = int(STEPS * (now - since) / slowStart) if slowStart > 0 else STEPS
    if step >= STEPS:
        return 1.0, None
    step = max(step, 0)
    until = since + slowStart * (step + 1) / STEPS
    # By rounding the end of a step may not lie behind its beginning.
    while until <= now and step < STEPS:
        step += 1
        until = since + slowStart * (step + 1) / STEPS
    return (1.0, None) if step >= STEPS else ((step + 0.5) / STEPS, until)
