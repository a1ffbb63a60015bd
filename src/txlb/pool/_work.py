"""
Who has a claim on a pool's hosts.
"""

from __future__ import annotations

from txlb.errors import NoHostAvailable
from txlb.pool._dial import Dial, DialLimits
from txlb.pool._events import EventKind
from txlb.pool._lease import Lease
from txlb.pool._mark import MarkEvent
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

    def claim(self, clientAddr: object, excluded: frozenset[Key]) -> Lease | None:
        """
        What L{acquire} and L{Dial} are made of.

        @return: L{None} where no host will do.
        """
        now = self.seconds()
        due = self._nextRetry()
        if due is not None and due <= now:
            self._retry(now)
        host = self._rotation.next(clientAddr, excluded)
        if host is None and self.settings.whenAllDown == "try":
            host = self._rotation.nextMarked(excluded)
        if host is None:
            return None
        lease = Lease(self, host, clientAddr, now)
        host.active += 1
        if host.mark.isUp or not host.mark.happened(MarkEvent.PICKED, now):
            self._rotation.counted(host)
        else:
            host.trial = lease
            self._rotation.refresh(host)
            self._tell(EventKind.HOST_TRIAL, host, "one client tries it again", now)
        return lease

    def released(self, lease: Lease) -> None:
        """
        A lease has ended; L{Lease.release} calls this.
        """
        host = lease.host
        if lease.trial:
            self._decide(lease)
        host.active -= 1
        if not host.leaving:
            self._rotation.counted(host)
        elif not host.active:
            if self._leaving.pop(id(host), None) is not None:
                self._tell(EventKind.HOST_GONE, host, "gone", self.seconds())

    # Time

    def nextDeadline(self) -> float | None:
        """
        When L{advance} has something to do next; L{None} for not before
        something else happens.
        """
        deadlines = (self._nextRetry(), self._rotation.nextTurn())
        return min((each for each in deadlines if each is not None), default=None)

    def advance(self, now: float) -> None:
        """
        Do what is due by C{now}: hosts whose time has come may be tried again,
        weigh more, or weigh as configured where their load is unknown by now, and
        a policy may build its tables.
        """
        self._retry(now)
        self._rotation.advance(now)

    def _nextRetry(self) -> float | None:
        first, second = self._rotation.nextDeadline(), self._weighing.nextDeadline()
        return first if second is None or (first is not None and first < second) else second

    def _retry(self, now: float) -> None:
        self._weighing.advance(now)
        for host in self._rotation.due(now):
            self._rotation.refresh(host)
