"""
What work and checks tell of a pool's hosts, and what becomes of them by it.
"""

from __future__ import annotations

from txlb.pool._dial import Failure, FailureKind
from txlb.pool._events import EventKind
from txlb.pool._health import FALL, RISE, CheckResult, HealthEvent, HealthState
from txlb.pool._host import Host
from txlb.pool._lease import Lease, Outcome
from txlb.pool._mark import MarkEvent
from txlb.pool._members import Members

#: These failures say something about the host.
MARKING = frozenset({FailureKind.REFUSED, FailureKind.TIMEOUT, FailureKind.UNREACHABLE})


class Reports(Members):
    """
    A pool's ears. L{txlb.pool.HostPool} adds the work.
    """

    def reportConnected(self, lease: Lease) -> None:
        """
        The connection for which the lease was taken has been established.
        """
        host, now = lease.host, self.seconds()
        host.counters.connections += 1
        host.connectTime = now - lease.since
        self._succeeded(host, now)
        self._rotation.sampled(host, host.connectTime)
        self._rotation.counted(host)

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
        if host.health.watched:
            if host.mark.missed() >= self.settings.passiveFall:
                host.mark.failures = 0
                wasIn = host.health.isHealthy
                host.health.fell(now)
                self._flipped(host, wasIn, str(failure), now)
        elif host.mark.failed(str(failure), self.settings.passiveFall, trial, now):
            self._rotation.retryLater(host)
            self._rotation.refresh(host)
            wait = host.mark.retryAt - now
            message = f"{failure}; next try in {wait:g} s, {self.readyCount} ready hosts left"
            self._tell(EventKind.HOST_DOWN, host, message, now)

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
        host.trial = None
        if host.mark.succeeded(now):
            self._weighing.started(host, now)
            self._rotation.refresh(host)
            self._tell(EventKind.HOST_UP, host, "can be reached again", now)

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

    # Checks

    def watch(self, name: str, rise: int = RISE, fall: int = FALL) -> None:
        """
        A host is checked from now on: its health has the word alone, and where
        it is out no client is its trial. One that traffic has put out comes in
        by C{rise} successes. Saying it again changes C{rise} and C{fall}.

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
        if not mark.isUp:
            health.fell(now)
            health.reason = mark.reason
            host.trial = None
            mark.happened(MarkEvent.SUCCEEDED, now)
        self._rotation.refresh(host)

    def unwatch(self, name: str) -> None:
        """
        A host is checked no more. It counts as up until traffic says otherwise.

        @raise UnknownName: there is no such host.
        """
        host, now = self.getHost(name), self.seconds()
        health = host.health
        if not health.watched:
            return
        wasOut = not health.isHealthy
        health.watched = False
        health.last = None
        health.passes = health.failures = 0
        if wasOut:
            self._weighing.cameIn(host, health.state is HealthState.STARTING, now)
        health.happened(HealthEvent.UNWATCHED, now)
        self._rotation.refresh(host)
        if wasOut:
            self._tell(EventKind.HOST_UP, host, "it is checked no more, so it counts as up", now)

    def reportCheck(self, name: str, result: CheckResult) -> None:
        """
        A check of a host has ended. It is counted here: C{rise} successes in a
        row put the host in, C{fall} failures in a row put it out. The first
        result begins to L{watch} the host where nobody has.

        @raise UnknownName: there is no such host.
        """
        host, now = self.getHost(name), self.seconds()
        if not host.health.watched:
            self.watch(name)
        if not result.passed:
            # Checks go where the next client would, so that they find the one
            # address of a name that is well as clients do.
            host.preferNextAddress()
        wasIn, starting = host.health.isHealthy, host.health.state is HealthState.STARTING
        if host.health.checked(result, now):
            if host.health.isHealthy and not wasIn:
                self._weighing.cameIn(host, starting, now)
            self._flipped(host, wasIn, str(result), now)

    def _flipped(self, host: Host, wasIn: bool, reason: str, now: float) -> None:
        """
        Tell of it where a host's health was put in or out.
        """
        health = host.health
        self._rotation.refresh(host)
        if health.isHealthy is wasIn:
            return
        if health.isHealthy:
            self._tell(EventKind.HOST_UP, host, f"{reason}; up again", now)
        else:
            health.reason = reason
            left = self.readyCount
            self._tell(EventKind.HOST_DOWN, host, f"{reason}; {left} ready hosts left", now)
