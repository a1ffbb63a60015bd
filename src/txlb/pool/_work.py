"""
Who has a claim on a pool's hosts.
"""

from __future__ import annotations

from txlb.errors import NoHostAvailable
from txlb.pool._dial import Dial, DialLimits, GaveUpReason
from txlb.pool._events import EventKind
from txlb.pool._host import Host
from txlb.pool._lease import Lease
from txlb.pool._mark import MarkEvent
from txlb.pool._queue import Waiting
from txlb.pool._reports import Reports
from txlb.schedulers import Key


class Work(Reports):
    """
    The work of a pool's hosts. L{txlb.pool.HostPool} is all of it.
    """

    def acquire(self, clientAddr: object = None, excluded: frozenset[Key] = frozenset()) -> Lease:
        """
        Claim the next host, for work that begins now. Use it as a context
        manager, or release the lease yourself.

        @param clientAddr: for whom; policies with affinity look at it.
        @param excluded: keys of hosts that will not do.
        @raise NoHostAvailable: no host can take work now.
        """
        lease = self.claim(clientAddr, excluded)
        if lease is None:
            raise NoHostAvailable(
                f"no host of {self._where} can take work now ({len(self._hosts)} configured)"
            )
        lease.host.counters.connections += 1
        return lease

    def dial(self, clientAddr: object = None, limits: DialLimits | None = None) -> Dial:
        """
        Begin the search for a host that can be reached.

        @param limits: how long and how often to try; by default as a
            L{txlb.model.ProxyService} without settings does.
        """
        return Dial(self, clientAddr, limits if limits is not None else DialLimits())

    def claim(
        self, clientAddr: object, excluded: frozenset[Key], now: float | None = None
    ) -> Lease | None:
        """
        What L{acquire} and L{Dial} are made of.

        @param now: in seconds of the pool's clock, for who has asked it already.
        @return: L{None} where no host will do.
        """
        rotation = self._rotation
        if now is None:
            now = self.seconds()
        if rotation.retries or self._weighing.steps:
            due = self._nextRetry()
            if due is not None and due <= now:
                self._retry(now)
        host = rotation.next(clientAddr, excluded)
        if host is None:
            self._reserve.asked = True
            # A host that is only full comes before one that is down.
            if self.settings.whenAllDown == "try" and not rotation.anyFull(excluded):
                host = rotation.nextMarked(excluded)
        if host is None:
            return None
        lease = Lease(self, host, clientAddr, now)
        host.active += 1
        if host.mark.isUp or not host.mark.happened(MarkEvent.PICKED, now):
            rotation.counted(host)
        else:
            host.trial = lease
            rotation.refresh(host)
            self._tell(EventKind.HOST_TRIAL, host, "one client tries it again", now)
        return lease

    def released(self, lease: Lease) -> None:
        """
        A lease has ended; L{Lease.release} calls this.
        """
        host = lease.host
        if host.trial is lease:
            self._decide(lease)
        if self._expectsAnswer:
            self._answered(lease)
        host.active -= 1
        if not host.going:
            self._rotation.counted(host)
        elif not host.active:
            self._went(host)
        if self._waiting:
            self._serve()

    def _went(self, host: Host) -> None:
        """
        A host that is leaving, or drained, has no leases left.
        """
        self._drains.pop(id(host), None)
        now = self.seconds()
        if not host.leaving:
            self._tell(EventKind.HOST_DRAINED, host, "has no connections left", now)
        elif self._leaving.pop(id(host), None) is not None:
            self._tell(EventKind.HOST_GONE, host, "gone", now)

    # Searches

    def pendingChanged(self, host: Host) -> None:
        """
        Connections to a host are being opened, so many that its circuit opens,
        or fewer than there were when it did.
        """
        self._checkCircuit(host, self.seconds())
        if self._waiting:
            self._serve()

    def mayWait(self, excluded: frozenset[Key]) -> bool:
        """
        Whether one who waits can come to a host.
        """
        return self._rotation.anyWaitable(excluded)

    def wait(self, dial: Dial, excluded: frozenset[Key], latest: float) -> Waiting | GaveUpReason:
        """
        There is no host for a search now.

        @param excluded: keys of hosts that will not do.
        @param latest: until when it may wait.
        @return: its place in the queue, or why it has none.
        """
        rotation, settings = self._rotation, self.settings
        if not rotation.anyFull(excluded):
            return GaveUpReason.UNREACHABLE if excluded else GaveUpReason.NO_HOST
        if not rotation.anyWaitable(excluded):
            return GaveUpReason.CIRCUIT
        if len(self._waiting) >= settings.maxQueue:
            return GaveUpReason.FULL
        now = self.seconds()
        deadline = min(now + settings.queueTimeout, latest)
        waiting = self._queue.add(dial, now, deadline)
        self._wake(deadline)
        return waiting

    # Time

    def nextDeadline(self) -> float | None:
        """
        When L{advance} has something to do next; L{None} for not before
        something else happens.
        """
        times = (
            self._nextRetry(),
            self._rotation.nextTurn(),
            self._reserve.nextDeadline(),
            self._queue.nextDeadline(),
            self._drainNext() if self._drains else None,
        )
        return min((each for each in times if each is not None), default=None)

    def advance(self, now: float) -> None:
        """
        Do what is due by C{now}: hosts whose time has come may be tried again,
        weigh more, or weigh as configured where their load is unknown by now, a
        policy may build its tables, backup hosts are left, waits in the queue
        end, and so do connections of hosts that have drained for long enough.
        """
        self._retry(now)
        self._rotation.advance(now)
        if self._waiting:
            self._queue.expire(now)
        if self._drains:
            self._endDrains(now)
        leaveAt = self._reserve.nextDeadline()
        if leaveAt is not None and leaveAt <= now:
            self._settle(now)

    def _nextRetry(self) -> float | None:
        first, second = self._rotation.nextDeadline(), self._weighing.nextDeadline()
        return first if second is None or (first is not None and first < second) else second

    def _retry(self, now: float) -> None:
        self._weighing.advance(now)
        due = list(self._rotation.due(now))
        for host in due:
            self._rotation.refresh(host)
        if due and self._waiting:
            self._serve()
