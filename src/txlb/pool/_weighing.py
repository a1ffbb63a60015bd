"""
The effective weight of a host: its configured weight, after slow start and load.

A host that is new or came back starts slowly: its weight grows linearly over
C{slowStart} seconds, in steps, as with HAProxy's C{slowstart}. The weight of a host
whose load is known is multiplied by the share that is left, smoothed exponentially, so
that one odd report has little effect. If there is no report for three intervals the
configured weight applies again. Neither makes the weight 0: that would take the host
out of rotation, which checks have to decide. But a host that itself reports that
nothing is left gets no new connections, as with C{0%} in HAProxy, as long as others
have something left.
"""

from __future__ import annotations

from collections.abc import Callable

from txlb.model import ProxyGroup, ResourceProbe
from txlb.pool._announcer import Announcer
from txlb.pool._events import EventKind
from txlb.pool._host import Host
from txlb.pool._load import HostLoad
from txlb.pool._timers import Timer, Timers

#: Steps in which a weight grows. Each has the share of its middle, so the first
#: is half a step and no weight is 0.
STEPS = 20

#: The number of intervals without a report that make a load unknown.
SILENT_INTERVALS = 3

#: The rules for loads that are reported without a probe.
REPORTED = ResourceProbe()


class Weighing:
    """
    The effective weights of a pool's hosts. Owned by the pool, whose parts call it
    before they publish events.

    @param settings: returns the settings of the group.
    @param changed: is called with a host whose weight or readiness changed.

    @ivar running: whether a host that is added starts slowly. The hosts that a pool is
        made with don't.
    """

    def __init__(
        self,
        settings: Callable[[], ProxyGroup],
        changed: Callable[[Host], None],
        timers: Timers,
        announcer: Announcer,
    ) -> None:
        self.running = False
        self._settings = settings
        self._changed = changed
        self._timers = timers
        self._announcer = announcer

    def started(self, host: Host, now: float) -> None:
        """
        Let the weight of a host that is new, or came back, grow from now on. The caller
        updates the policy.
        """
        if self.running and self._settings().slowStart > 0:
            host.slowSince = now
            self.weigh(host, now)

    def cameIn(self, host: Host, first: bool, now: float) -> None:
        """
        Take note of a host that checks have marked up.

        @param first: whether it was down only because it had not been checked yet. Then
            it starts slowly if it was added later, not if the pool was made with it.
        """
        if not first or host.slowSince is not None:
            self.started(host, now)

    def reported(self, host: Host, available: float, now: float, good: float = 0.0) -> None:
        """
        Take a host's report of its load.

        @param available: the share that is left, 0 to 1.
        @param good: seconds after which it is forgotten; 0 for as long as the rules say. A report
            with a time of its own counts as it is, and is not averaged.
        """
        before = host.load
        if before is None:
            host.load = HostLoad(available, now, good)
        else:
            before.heard(available, 1.0 if good else self._rules.smoothing, now, good)
        self.refresh(host, now)
        # Afterwards, because the subscriber looks at what is due next.
        if before is None:
            message = f"its load is known: {1 - available:.0%}"
            self._announcer.ofHost(EventKind.HOST_LOAD_KNOWN, host, message, now)

    def refresh(self, host: Host, now: float) -> None:
        """
        Weigh a host whose weight or load changed, and update the policy.
        """
        if not host.leaving:
            self.weigh(host, now)
            self._changed(host)

    def weigh(self, host: Host, now: float) -> None:
        """
        Compute the weight of a host. The caller updates the policy; L{refresh} does both.
        """
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
            self._wake(host, self._endOf(host.load))
        # A draining host keeps its weight, because policies can't use 0.
        if weight > 0:
            host.effectiveWeight = weight

    def forget(self, host: Host) -> None:
        """
        Stop weighing a host that is removed.
        """
        if host.weighTimer is not None:
            self._timers.clear(host.weighTimer)

    def _due(self, host: Host, now: float) -> None:
        """
        Weigh a host again. If steps were missed only the last one is taken.
        """
        lost = self._forget(host, now)
        self.refresh(host, now)
        if lost:
            message = f"its load is unknown: not heard of it for {lost:g} s"
            self._announcer.ofHost(EventKind.HOST_LOAD_LOST, host, message, now)

    def _forget(self, host: Host, now: float) -> float:
        """
        Forget a load that is too old.

        @return: the seconds without a report; 0 if the load is known or was not known.
        """
        if host.load is None or now < self._endOf(host.load):
            return 0.0
        silent = now - host.load.at
        host.load = None
        return silent

    # Inside

    def _endOf(self, load: HostLoad) -> float:
        """
        Return the time at which a load is forgotten.
        """
        return load.at + (load.good or SILENT_INTERVALS * self._rules.interval)

    @property
    def _rules(self) -> ResourceProbe:
        return self._settings().resource or REPORTED

    def _wake(self, host: Host, when: float) -> None:
        """
        Weigh a host again at a time, or before.
        """
        timer = host.weighTimer
        if timer is None:
            timer = host.weighTimer = Timer(lambda now: self._due(host, now))
        if timer.when is None or when < timer.when:
            self._timers.set(timer, when)


def _grown(since: float, slowStart: float, now: float) -> tuple[float, float | None]:
    """
    Compute slow start.

    @return: the share of its weight that a host has, and the time at which it has more;
        L{None} if it has all.
    """
    step = int(STEPS * (now - since) / slowStart) if slowStart > 0 else STEPS
    if step >= STEPS:
        return 1.0, None
    step = max(step, 0)
    until = since + slowStart * (step + 1) / STEPS
    # Rounding must not put the end of a step behind its beginning.
    while until <= now and step < STEPS:
        step += 1
        until = since + slowStart * (step + 1) / STEPS
    return (1.0, None) if step >= STEPS else ((step + 0.5) / STEPS, until)
