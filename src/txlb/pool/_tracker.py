"""
The health of hosts by checks, connections and agents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from txlb.model import ProxyGroup
from txlb.pool._announcer import Announcer
from txlb.pool._damper import Damper
from txlb.pool._drains import Drains
from txlb.pool._events import EventKind, changed
from txlb.pool._failure import Failure, FailureKind
from txlb.pool._health import CheckResult, HealthEvent, HealthState
from txlb.pool._histogram import Histogram
from txlb.pool._host import Host
from txlb.pool._lease import Lease
from txlb.pool._outcome import Outcome
from txlb.pool._passive import PassiveEvent, PassiveState
from txlb.pool._rotation import Rotation
from txlb.pool._timers import Timer, Timers
from txlb.pool._weighing import Weighing
from txlb.wire import AgentReply

#: The failures that concern the host.
MARKING = frozenset({FailureKind.REFUSED, FailureKind.TIMEOUT, FailureKind.UNREACHABLE})

#: A host that closes a silent client within so many seconds of its connecting has
#: failed; a later close may be a timeout of its own.
PROMPT = 1.0

#: The greatest share of its host's configured weight that an agent can set. HAProxy
#: caps the resulting weight at 256. Here the share is capped, because weights have
#: another range: an agent is not trusted, and can't take all clients of a group.
MOST_SHARE = 2.56

Settings = Callable[[], ProxyGroup]


class HealthTracker:
    """
    Applies check results, connections and agent replies to hosts. Owned by the
    pool.

    @param settings: returns the settings of the group.
    @param hosts: the hosts that are configured, by name.
    @param timers: the timers that are looked at before each choice.
    @param settle: is called with the time after a host went out or came in.
    @param wake: is called with the time of a deadline.
    """

    def __init__(
        self,
        settings: Settings,
        hosts: Mapping[str, Host],
        rotation: Rotation,
        weighing: Weighing,
        drains: Drains,
        timers: Timers,
        announcer: Announcer,
        settle: Callable[[float], object],
        wake: Callable[[float], object],
        connectTimes: Histogram,
    ) -> None:
        self._settings = settings
        self._hosts = hosts
        self._rotation = rotation
        self._weighing = weighing
        self._drains = drains
        self._timers = timers
        self._announcer = announcer
        self._settle = settle
        self._wake = wake
        self._connectTimes = connectTimes

    # Connections

    def connected(self, lease: Lease, now: float) -> None:
        """
        Record that the connection of a lease was established.
        """
        host = lease.host
        host.counters.connections += 1
        took = host.connectTime = now - lease.since
        self._connectTimes.observe(took)
        passive = host.passive
        if passive.isUp:
            # As with most, and a call is saved.
            passive.failures = 0
        else:
            self._succeeded(host, now)
        if self._rotation.wantsTimes:
            self._rotation.connected(host, took)

    def failed(self, lease: Lease, failure: Failure, now: float) -> None:
        """
        Record that the connection of a lease could not be established.
        """
        host, trial = lease.host, lease.trial
        if failure.kind not in MARKING:
            self.abandoned(lease, now)
            return
        if trial:
            host.trial = None
        host.counters.failures += 1
        host.preferNextAddress()
        if failure.kind is FailureKind.TIMEOUT:
            # A refusal is quick, which does not make the host fast.
            self._rotation.sampled(host, now - lease.since)
        fall = self._settings().passiveFall
        if host.health.watched:
            if host.passive.missed() >= fall:
                host.passive.failures = 0
                self._putOut(host, str(failure), now)
        elif host.passive.failed(str(failure), fall, trial, now):
            if trial:
                self._retryLater(host)
                self._rotation.refresh(host)
                message = f"the trial failed: {failure}; {_nextTry(host, now)}"
                self._announcer.ofHost(EventKind.HOST_TRIAL, host, message, now)
            else:
                self._wentOut(host, str(failure), now)

    def abandoned(self, lease: Lease, now: float) -> None:
        """
        Record that the work of a lease ended without a result for the host. If it was
        the host's trial, the next client tries the host.
        """
        if lease.trial:
            lease.host.trial = None
            lease.host.passive.happened(PassiveEvent.ABANDONED, now)
            self._rotation.refresh(lease.host)

    def tried(self, lease: Lease, now: float) -> bool:
        """
        Begin the trial of a host that is due, if this lease is its next client.

        @return: whether it began.
        """
        host = lease.host
        if not host.passive.happened(PassiveEvent.PICKED, now):
            return False
        host.trial = lease
        self._rotation.refresh(host)
        self._announcer.ofHost(EventKind.HOST_TRIAL, host, "one client tries it again", now)
        return True

    def decided(self, lease: Lease, now: float) -> None:
        """
        Take the end of a lease that was a host's trial, and reported no connection, as
        the verdict.
        """
        if lease.outcome is Outcome.DONE:
            self._succeeded(lease.host, now)
        else:
            self.abandoned(lease, now)

    def _succeeded(self, host: Host, now: float) -> None:
        passive = host.passive
        if passive.isUp:
            passive.failures = 0
        elif passive.state is not PassiveState.DOWN or now >= host.damper.heldUntil:
            host.trial = None
            self._retryNever(host)
            passive.succeeded(now)
            self._cameIn(host, "can be reached again", now)

    def ended(self, lease: Lease, now: float) -> None:
        """
        Count the answer of a host to a connection that has ended, if the protocol has
        an answer to each client.
        """
        host = lease.host
        bad = lease.outcome is Outcome.BAD_ANSWER
        if lease.bytesOut and not bad:
            host.unanswered = 0
            return
        reset = lease.outcome is Outcome.HOST_RESET
        # Many hosts close a silent client in good order after a timeout of their own.
        asked = lease.bytesIn or now - lease.since <= PROMPT
        closed = lease.hostFirst and (reset or (lease.outcome is Outcome.DONE and asked))
        if not (bad or closed):
            return
        host.unanswered += 1
        fall = self._settings().answerFall
        if host.unanswered < fall or not host.isIn or host.leaving:
            return
        # After the host came back, one more connection without an answer marks it down.
        host.unanswered = fall - 1
        if self._mayBlame(host):
            host.blamed = True
            self._putOut(host, f"{fall} connections in a row had no answer or a bad one", now)

    def _mayBlame(self, host: Host) -> bool:
        """
        Return whether a host may be marked down for something that clients can cause.
        At most a third of the hosts may, and never the last ready one.
        """
        blamed = sum(each.blamed for each in self._hosts.values())
        left = self._rotation.readyCount - host.held
        return left > 0 and blamed < max(1, len(self._hosts) // 3)

    # Agents

    def agentSaid(self, host: Host, reply: AgentReply, now: float) -> None:
        """
        Apply the requests of an agent beside a host. See
        L{txlb.pool.HostPool.reportAgent}.
        """
        before = (host.asked, host.agentShare, host.agentLimit)
        if reply.state is not None:
            host.asked = reply.state.value
        if reply.percent is not None:
            host.agentShare = min(reply.percent / 100, MOST_SHARE)
        elif reply.weight is not None and host.weight:
            host.agentShare = min(reply.weight / host.weight, MOST_SHARE)
        if reply.maxConnections is not None:
            host.agentLimit = reply.maxConnections or None
            host.limit()
        after = (host.asked, host.agentShare, host.agentLimit)
        if after == before:
            return
        if before[0] != after[0] or bool(before[1]) is not bool(after[1]):
            host.changedAt = now
        self._weighing.refresh(host, now)
        self._rotation.refresh(host)
        said = [
            f"{what} {was} -> {now_}"
            for what, was, now_ in (
                ("state", before[0], after[0]),
                ("weight", f"{before[1]:.0%}", f"{after[1]:.0%}"),
                ("maxConnections", before[2] or "no limit", after[2] or "no limit"),
            )
            if was != now_
        ]
        message = f"its agent says: {', '.join(said)}"
        details = changed(list(before), list(after))
        self._announcer.ofHost(EventKind.HOST_STATE, host, message, now, details)
        self._settle(now)

    # Checks

    def watch(self, host: Host, rise: int, fall: int, damped: bool, now: float) -> None:
        """
        Let active checks decide about a host. See L{txlb.pool.HostPool.watch}.
        """
        health, passive = host.health, host.passive
        health.rise, health.fall, health.damped = rise, fall, damped
        if health.watched:
            return
        health.watched = True
        self.awaitCheck(host, now)
        if not passive.isUp:
            health.fell(now)
            health.reason = passive.reason
            host.trial = None
            self._retryNever(host)
            passive.happened(PassiveEvent.SUCCEEDED, now)
        self._rotation.refresh(host)
        self._settle(now)

    def unwatch(self, host: Host, now: float) -> None:
        """
        Let connections decide about a host again, which counts as up.
        """
        health = host.health
        if not health.watched:
            return
        wasIn, starting = health.isHealthy, health.state is HealthState.STARTING
        health.watched = False
        health.last = None
        health.passes = health.failures = 0
        health.happened(HealthEvent.UNWATCHED, now)
        if wasIn:
            self._rotation.refresh(host)
        else:
            self._cameIn(host, "it is checked no more, so it counts as up", now, starting)

    def checked(self, host: Host, result: CheckResult, now: float) -> None:
        """
        Apply the result of a check. See L{txlb.pool.HostPool.reportCheck}.
        """
        host.counters.checks += 1
        if not result.passed:
            host.counters.checkFailures += 1
            # Checks use the address of the next client, so that they find the one
            # address of a name that works, as clients do.
            host.preferNextAddress()
        health = host.health
        wasIn, starting = health.isHealthy, health.state is HealthState.STARTING
        if not health.checked(result, host.damper.heldUntil, now):
            return
        if health.isHealthy is wasIn and not starting:
            self._rotation.refresh(host)
        elif health.isHealthy:
            self._cameIn(host, str(result), now, starting)
        else:
            health.reason = str(result)
            self._wentOut(host, str(result), now)

    def awaitCheck(self, host: Host, now: float) -> None:
        """
        Send no clients to a host before its first check, if the group is configured so.
        """
        health = host.health
        if health.watched and self._settings().initialState == "check" and host.isIn:
            health.happened(HealthEvent.AWAITED, now)
            host.wentOut(now)

    # The host itself

    def becameReady(self, host: Host, now: float) -> None:
        """
        Forget the falls of a host that was drained or in maintenance.
        """
        host.damper = Damper(now)
        self.awaitCheck(host, now)

    def moved(self, host: Host, now: float) -> None:
        """
        Forget what is known of the former address of a host.
        """
        self._retryNever(host)
        host.moved(now)

    def left(self, host: Host) -> None:
        """
        Don't try a host again that was removed.
        """
        self._retryNever(host)

    def restored(self, host: Host) -> None:
        """
        See to a host that has taken over its health from another process. The caller updates the
        policy.
        """
        if host.passive.state is PassiveState.DOWN:
            self._retryLater(host)
        else:
            self._retryNever(host)

    # In and out

    def _putOut(self, host: Host, reason: str, now: float) -> None:
        """
        Mark a host down because connections to it fail.
        """
        health, passive = host.health, host.passive
        if not health.watched:
            if passive.happened(PassiveEvent.FELL, now):
                passive.reason = reason
                self._wentOut(host, reason, now)
            return
        wasIn = health.isHealthy
        health.fell(now)
        if wasIn:
            health.reason = reason
            self._wentOut(host, reason, now)
        else:
            self._rotation.refresh(host)

    def _wentOut(self, host: Host, reason: str, now: float) -> None:
        settings = self._settings()
        host.counters.downs += 1
        host.wentOut(now)
        host.damper.fell(settings.flapHold if host.health.damped else 0.0, now)
        host.passive.hold(host.damper.heldUntil)
        if host.health.watched:
            held = host.damper.heldUntil - now
            after = f"held down for {held:g} s at least, " if held > 0 else ""
        else:
            after = f"{_nextTry(host, now)}, "
            self._retryLater(host)
        self._rotation.refresh(host)
        self._flipped(EventKind.HOST_DOWN, host, reason, after, now)
        if settings.whenDown == "close":
            self._drains.reset(host, Outcome.HOST_DOWN)
        self._settle(now)

    def _cameIn(self, host: Host, reason: str, now: float, starting: bool = False) -> None:
        """
        Mark a host up.

        @param starting: whether the host waited for its first check.
        """
        host.cameIn(now)
        host.damper.rose(now)
        self._weighing.cameIn(host, starting, now)
        self._rotation.refresh(host)
        self._flipped(EventKind.HOST_UP, host, reason, "", now)
        self._settle(now)

    def _flipped(self, kind: EventKind, host: Host, reason: str, after: str, now: float) -> None:
        ready, last = self._rotation.readyCount, host.health.last
        details = {"reason": reason, "check": None if last is None else last.detail, "ready": ready}
        message = f"{reason}; {after}{ready} ready hosts left"
        self._announcer.ofHost(kind, host, message, now, details)

    def _retryLater(self, host: Host) -> None:
        if host.leaving:
            return
        timer = host.retryTimer
        if timer is None:
            timer = host.retryTimer = Timer(lambda now: self._isDue(host, now))
        self._timers.set(timer, host.passive.retryAt)
        self._wake(host.passive.retryAt)

    def _retryNever(self, host: Host) -> None:
        if host.retryTimer is not None:
            self._timers.clear(host.retryTimer)

    def _isDue(self, host: Host, now: float) -> None:
        if host.passive.happened(PassiveEvent.TIME, now):
            self._rotation.refresh(host)
            self._settle(now)


def _nextTry(host: Host, now: float) -> str:
    return f"next try in {host.passive.retryAt - now:g} s"
