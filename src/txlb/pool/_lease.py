"""
One unit of work's claim on a host.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from txlb.errors import LeaseReleased
from txlb.pool._outcome import Outcome

if TYPE_CHECKING:
    from txlb.pool._host import Host


class Lender(Protocol):
    """
    The part of a pool that a lease needs.
    """

    def reportTime(self, lease: Lease, seconds: float) -> None:
        """
        Report how long the host of the lease took.
        """

    def released(self, lease: Lease) -> None:
        """
        Take back the claim of the lease.
        """


class Lease:
    """
    The claim of one unit of work on a host: while it lasts, the host has one active
    connection more. Its owner releases it, exactly once; as a context manager it
    releases itself.

    @ivar host: the host.
    @ivar clientAddr: the client that it was chosen for.
    @ivar since: the time of the claim, in seconds of the pool's clock.
    @ivar bytesIn: bytes from the client to the host so far.
    @ivar bytesOut: bytes from the host to the client so far.
    @ivar hostFirst: whether the host finished sending, or reset, before the client had
        finished; its relay sets this.
    @ivar outcome: its end; L{None} until then.
    """

    __slots__ = (
        "_pool",
        "bytesIn",
        "bytesOut",
        "clientAddr",
        "host",
        "hostFirst",
        "outcome",
        "since",
    )

    def __init__(self, pool: Lender, host: Host, clientAddr: object, since: float) -> None:
        self._pool = pool
        self.host = host
        self.clientAddr = clientAddr
        self.since = since
        self.bytesIn = 0
        self.bytesOut = 0
        self.hostFirst = False
        self.outcome: Outcome | None = None

    @property
    def trial(self) -> bool:
        """
        Whether the host was down and this work decides if it is up again; no longer
        once that is decided, also by another success.
        """
        return self.host.trial is self

    def add(self, bytesIn: int, bytesOut: int) -> None:
        """
        Count bytes that have been written to the other side. Call it as the
        work goes on, so that a long transfer shows.

        @raise LeaseReleased: it has been released.
        """
        self.addIn(bytesIn)
        self.addOut(bytesOut)

    def addIn(self, count: int) -> None:
        """
        Count bytes from the client alone, as L{add} does.

        @raise LeaseReleased: it has been released.
        """
        if self.outcome is not None:
            raise self._late(self.outcome)
        self.bytesIn += count
        self.host.counters.bytesIn += count

    def addOut(self, count: int) -> None:
        """
        Count bytes from the host alone, as L{add} does.

        @raise LeaseReleased: it has been released.
        """
        if self.outcome is not None:
            raise self._late(self.outcome)
        self.bytesOut += count
        self.host.counters.bytesOut += count

    def took(self, seconds: float) -> None:
        """
        Report a time that shows how fast the host is, such as that to the first byte of
        its answer. Policies that use times get it, such as C{ewma}. A L{txlb.pool.Dial}
        reports the time to connect by itself.

        @param seconds: 0 or more.
        @raise LeaseReleased: it has been released.
        """
        if self.outcome is not None:
            raise self._late(self.outcome)
        self._pool.reportTime(self, seconds)

    def release(self, outcome: Outcome = Outcome.DONE) -> None:
        """
        End the work. Only this lowers a host's count.

        @raise LeaseReleased: it has been released.
        """
        if self.outcome is not None:
            raise self._late(self.outcome)
        self.outcome = outcome
        self._pool.released(self)

    def _late(self, outcome: Outcome) -> LeaseReleased:
        return LeaseReleased(f"the lease on {self.host!r} was released as {outcome.value} already")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.outcome is None:
            self.release(Outcome.DONE if kind is None else Outcome.ERROR)
