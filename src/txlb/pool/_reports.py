"""
What work and checks tell of a pool's hosts, and what becomes of them by it.
"""

from __future__ import annotations

from txlb.pool._dial import Failure, FailureKind
from txlb.pool._events import EventKind, changed
from txlb.pool._health import FALL, RISE, CheckResult, HealthEvent, HealthState
from txlb.pool._host import Host
from txlb.pool._lease import Lease, Outcome
from txlb.pool._mark import MarkEvent, MarkState
from txlb.pool._members import Members
from txlb.wire import AgentReply

#: These failures say something about the host.
MARKING = frozenset({FailureKind.REFUSED, FailureKind.TIMEOUT, FailureKind.UNREACHABLE})

#: Within so many seconds of connecting, closing a client that has said nothing is
#: no matter of patience.
PROMPT = 1.0


class Reports(Members):
    """
    A pool's ears. L{txlb.pool.HostPool} adds the work.
    """

    def reportConnected(self, lease: Lease) -> float:
        """
        The connection for which the lease was taken has been established.

        @return: when, in seconds of the pool's clock.
        """
        host, now = lease.host, self.seconds()
        host.counters.connections += 1
        took = host.connectTime = now - lease.since
        self._succeeded(host, now)
        if self._rotation.wantsTimes:
            self._rotation.connected(host, took)
        return now

    def reportTime(self, lease: Lease, seconds: float) -> None:
        """
        The host of the lease took so long; L{Lease.took} calls this.
        """
        self._rotation.sampled(lease.host, seconds)

    def reportFailed(self, lease: Lease, failure: Failure) -> None:
        """
        The connection for which the lease was taken could not be established.
        """
        host, now, trial = lease.host, self.seconds(), lease.trial
        if failure.kind not in MARKING:
            self.reportAbandoned(lease)
            return
        if trial:
            host.trial = None
        host.counters.failures += 1
        host.preferNextAddress()
        if failure.kind is FailureKind.TIMEOUT:
            # A refusal is quick, and yet says nothing good.
            self._rotation.sampled(host, now - lease.since)
        fall = self.settings.passiveFall
        if host.health.watched:
            if host.mark.missed() >= fall:
                host.mark.failures = 0
                self._putOut(host, str(failure), now)
        elif host.mark.failed(str(failure), fall, trial, now):
            if trial:
                self._rotation.retryLater(host)
                self._rotation.refresh(host)
                message = f"the trial failed: {failure}; {_next(host, now)}"
                self._tell(EventKind.HOST_TRIAL, host, message, now)
                self._wake(host.mark.retryAt)
            else:
                self._wentOut(host, str(failure), now)

    def reportAbandoned(self, lease: Lease) -> None:
        """
        The work for which the lease was taken came to nothing that says
        anything about the host. Where it was the host's trial, the next client
        is.
        """
        if lease.trial:
            lease.host.trial = None
            lease.host.mark.happened(MarkEvent.ABANDONED, self.seconds())
            self._rotation.refresh(lease.host)

    def _decide(self, lease: Lease) -> None:
        """
        Work without a connection of its own to report was the host's trial.
        """
        if lease.outcome is Outcome.DONE:
            self._succeeded(lease.host, self.seconds())
        else:
            self.reportAbandoned(lease)

    def _succeeded(self, host: Host, now: float) -> None:
        mark = host.mark
        if mark.isUp:
            mark.failures = 0
        elif mark.state is not MarkState.DOWN or now >= host.damper.heldUntil:
            host.trial = None
            mark.succeeded(now)
            self._cameIn(host, "can be reached again", now)

    def _answered(self, lease: Lease) -> None:
        """
        Work has ended whose protocol answers: see whether the host did.
        """
        host = lease.host
        if lease.bytesOut:
            host.unanswered = 0
            return
        now = self.seconds()
        reset = lease.outcome is Outcome.HOST_RESET
        # Clients that say nothing are closed in good order by many a host, in
        # its own time.
        asked = lease.bytesIn or now - lease.since <= PROMPT
        if not lease.hostFirst or not (reset or (lease.outcome is Outcome.DONE and asked)):
            return
        host.unanswered += 1
        fall = self.settings.answerFall
        if host.unanswered < fall or not host.isIn or host.leaving:
            return
        # Where it comes back and does so again, once is enough.
        host.unanswered = fall - 1
        if self._mayBlame(host):
            host.blamed = True
            self._putOut(host, f"{fall} connections in a row closed without an answer", now)

    def _mayBlame(self, host: Host) -> bool:
        """
        Whether a host may be put out for something that clients can bring
        about: of a third of the group, but never the last that is ready.
        """
        blamed = sum(each.blamed for each in self._hosts.values())
        left = self.readyCount - self._rotation.holds(host)
        return left > 0 and blamed < max(1, len(self._hosts) // 3)

    # Loads

    def reportLoad(self, name: str, available: float) -> None:
        """
        A host says how much of itself it has left. Where nothing is heard of it
        for three intervals, it weighs as configured again.

        @param available: 0 to 1; with 0 it gets nothing new, unless no other
            host can take it.
        @raise UnknownName: there is no such host.
        @raise ValueError: C{available} is out of its range.
        """
        if not 0 <= available <= 1:
            raise ValueError(f"what {name!r} has left is {available!r}; it is 0 to 1")
        self._weighing.reported(self.getHost(name), float(available), self.seconds())

    def reportAgent(self, name: str, reply: AgentReply) -> None:
        """
        An agent beside a host has said what it wants of it. What it does not
        mention stays as it was; what people want of the host stays in any case,
        and who wants less has his way. How the host is, is for L{reportCheck}.

        Source: HAProxy 2.6, configuration manual, C{agent-check}. A weight is
        taken as a share of the one that is configured; a limit of connections
        holds beside the one that is configured.

        @raise UnknownName: there is no such host.
        """
        host, now = self.getHost(name), self.seconds()
        before = (host.asked, host.agentShare, host.agentLimit)
        if reply.state is not None:
            host.asked = reply.state.value
        if reply.percent is not None:
            host.agentShare = reply.percent / 100
        elif reply.weight is not None and host.configured.weight:
            host.agentShare = reply.weight / host.configured.weight
        if reply.maxConnections is not None:
            host.agentLimit = reply.maxConnections or None
            host.limit()
        after = (host.asked, host.agentShare, host.agentLimit)
        if after == before:
            return
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
        self._tell(EventKind.HOST_STATE, host, message, now, changed(list(before), list(after)))
        self._settle(now)

    # Checks

    def watch(self, name: str, rise: int = RISE, fall: int = FALL) -> None:
        """
        A host is checked from now on: its health has the word alone, and where
        it is out no client is its trial. One that traffic has put out comes in
        by C{rise} successes. Where the group's C{initialState} is C{check} it
        gets nobody before its first check has passed. Saying it again changes
        C{rise} and C{fall}.

        @param rise: successes in a row that put it in, 1 or more.
        @param fall: failures in a row that put it out, 1 or more.
        @raise UnknownName: there is no such host.
        """
        host, now = self.getHost(name), self.seconds()
        health, mark = host.health, host.mark
        health.rise, health.fall = rise, fall
        if health.watched:
            return
        health.watched = True
        self._awaitCheck(host, now)
        if not mark.isUp:
            health.fell(now)
            health.reason = mark.reason
            host.trial = None
            mark.happened(MarkEvent.SUCCEEDED, now)
        self._rotation.refresh(host)
        self._settle(now)

    def unwatch(self, name: str) -> None:
        """
        A host is checked no more. It counts as up until traffic says otherwise.

        @raise UnknownName: there is no such host.
        """
        host, now = self.getHost(name), self.seconds()
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

    def reportCheck(self, name: str, result: CheckResult) -> None:
        """
        A check of a host has ended. It is counted here: C{rise} successes in a
        row put the host in, C{fall} failures in a row put it out; the first
        result decides at once about a host that waits for it. The first result
        begins to L{watch} the host where nobody has. In maintenance nothing is
        counted.

        @raise UnknownName: there is no such host.
        """
        host, now = self.getHost(name), self.seconds()
        if not host.enabled:
            return
        if not host.health.watched:
            self.watch(name)
        if not result.passed:
            # Checks go where the next client would, so that they find the one
            # address of a name that is well as clients do.
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

    # In and out

    def _putOut(self, host: Host, reason: str, now: float) -> None:
        """
        Traffic says that a host is down.
        """
        health, mark = host.health, host.mark
        if not health.watched:
            if mark.happened(MarkEvent.FELL, now):
                mark.reason = reason
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
        """
        A host is out from here on.
        """
        host.wentOut(now)
        host.damper.fell(self.settings.flapHold, now)
        host.mark.hold(host.damper.heldUntil)
        if host.health.watched:
            held = host.damper.heldUntil - now
            after = f"held down for {held:g} s at least, " if held > 0 else ""
        else:
            after = f"{_next(host, now)}, "
            self._rotation.retryLater(host)
            self._wake(host.mark.retryAt)
        self._rotation.refresh(host)
        self._flipped(EventKind.HOST_DOWN, host, reason, after, now)
        if self.settings.whenDown == "close":
            self._cut(host, Outcome.HOST_DOWN)
        self._settle(now)

    def _cameIn(self, host: Host, reason: str, now: float, starting: bool = False) -> None:
        """
        A host is in from here on.

        @param starting: whether it waited for its first check.
        """
        host.cameIn(now)
        host.damper.rose(now)
        self._weighing.cameIn(host, starting, now)
        self._rotation.refresh(host)
        self._flipped(EventKind.HOST_UP, host, reason, "", now)
        self._settle(now)

    def _flipped(self, kind: EventKind, host: Host, reason: str, after: str, now: float) -> None:
        ready, last = self.readyCount, host.health.last
        details = {"reason": reason, "check": None if last is None else last.detail, "ready": ready}
        self._tell(kind, host, f"{reason}; {after}{ready} ready hosts left", now, details)


def _next(host: Host, now: float) -> str:
    return f"next try in {host.mark.retryAt - now:g} s"
