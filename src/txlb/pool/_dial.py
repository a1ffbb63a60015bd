"""
One client's search for a host that can be reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from txlb.model import Address
from txlb.pool._lease import Lease, Outcome

if TYPE_CHECKING:
    from txlb.pool._host import Host
    from txlb.pool._work import Work


class FailureKind(Enum):
    """
    Why a connection to a host failed. The value is the word for it in logs.

    C{BUSY} is a UNIX socket whose backlog is full: the next host is tried, and
    no mark is made. C{LOCAL} is our own want of descriptors, ports or memory,
    which no other host could mend.
    """

    REFUSED = "refused"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    BUSY = "busy"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Failure:
    """
    A failure to connect.

    @ivar kind: what it means for the host and for the search.
    @ivar detail: what the system said, for people.
    """

    kind: FailureKind
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind.value} ({self.detail})" if self.detail else self.kind.value


class GaveUpReason(Enum):
    """
    Why a search ended without a host.
    """

    NO_HOST = "no-host"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class GaveUp:
    """
    The search is over and found no host.

    @ivar reason: why.
    @ivar failure: the last failure, where anything was tried.
    """

    reason: GaveUpReason
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class DialLimits:
    """
    How long and how often to try.

    @ivar connectTimeout: seconds that one host has.
    @ivar dialTimeout: seconds for the search in all.
    @ivar retries: how many other hosts are tried after the first.
    """

    connectTimeout: float = 5.0
    dialTimeout: float = 10.0
    retries: int = 3


class Attempt:
    """
    One host to connect to now. Whoever got it connects and then says exactly
    one of L{connected}, L{failed} and L{cancel}.

    @ivar dial: the search that it belongs to.
    @ivar lease: the claim on the host, whose count holds this attempt already.
    @ivar address: where to connect to.
    @ivar deadline: until when, in seconds of the pool's clock.
    """

    __slots__ = ("address", "deadline", "dial", "lease")

    def __init__(self, dial: Dial, lease: Lease, address: Address, deadline: float) -> None:
        self.dial = dial
        self.lease = lease
        self.address = address
        self.deadline = deadline

    @property
    def host(self) -> Host:
        """
        The host that is tried.
        """
        return self.lease.host

    def connected(self) -> Lease:
        """
        See L{Dial.connected}.
        """
        return self.dial.connected(self)

    def failed(self, failure: Failure) -> Attempt | GaveUp:
        """
        See L{Dial.failed}.
        """
        return self.dial.failed(self, failure)

    def cancel(self) -> None:
        """
        See L{Dial.cancel}.
        """
        self.dial.cancel()


class Dial:
    """
    One client's search for a host. Each host is tried at most once. It is
    about connecting alone: nothing that the client sent may have been written
    to a host before L{connected}.

    Made by L{HostPool.dial}; owned by whoever called that, who ends it by
    L{connected}, by a L{GaveUp}, or by L{cancel}.

    @ivar clientAddr: who looks for a host.
    @ivar began: when, in seconds of the pool's clock.
    @ivar tries: how many hosts have been tried.
    """

    __slots__ = ("_attempt", "_failure", "_limits", "_pool", "_tried", "began", "clientAddr")

    def __init__(self, pool: Work, clientAddr: object, limits: DialLimits) -> None:
        self._pool = pool
        self._limits = limits
        # Nearly always it is one, and a set of one is four times the size.
        self._tried: tuple[tuple[str, str, str], ...] = ()
        self._attempt: Attempt | None = None
        self._failure: Failure | None = None
        self.clientAddr = clientAddr
        self.began = pool.seconds()

    @property
    def tries(self) -> int:
        """
        How many hosts have been tried, the one being tried now included.
        """
        return len(self._tried)

    @property
    def pool(self) -> Work:
        """
        The hosts that are searched.
        """
        return self._pool

    def start(self) -> Attempt | GaveUp:
        """
        The first host to try.

        @raise ValueError: it has been started.
        """
        if self._tried:
            raise ValueError("this search has begun already")
        return self._next()

    def connected(self, attempt: Attempt) -> Lease:
        """
        The host of the attempt was reached, and the search is over.

        @return: the claim on it, for the caller to release.
        """
        lease = self._end(attempt)
        self._pool.reportConnected(lease)
        return lease

    def failed(self, attempt: Attempt, failure: Failure) -> Attempt | GaveUp:
        """
        The host of the attempt could not be reached.

        @return: the next one, or that there is none.
        """
        lease = self._end(attempt)
        self._failure = failure
        self._pool.reportFailed(lease, failure)
        lease.release(Outcome.NOT_CONNECTED)
        if failure.kind is FailureKind.LOCAL:
            return GaveUp(GaveUpReason.LOCAL, failure)
        return self._next()

    def cancel(self) -> None:
        """
        Nobody waits for a host any more. Where the search is over already this
        does nothing.
        """
        attempt = self._attempt
        if attempt is not None:
            self._end(attempt).release(Outcome.CLIENT_GONE)

    def _next(self) -> Attempt | GaveUp:
        now = self._pool.seconds()
        latest = self.began + self._limits.dialTimeout
        if now >= latest:
            return GaveUp(GaveUpReason.TIMEOUT, self._failure)
        if self.tries > self._limits.retries:
            return GaveUp(GaveUpReason.UNREACHABLE, self._failure)
        lease = self._pool.claim(self.clientAddr, frozenset(self._tried))
        if lease is None:
            reason = GaveUpReason.UNREACHABLE if self._tried else GaveUpReason.NO_HOST
            return GaveUp(reason, self._failure)
        self._tried = (*self._tried, lease.host.key)
        deadline = min(now + self._limits.connectTimeout, latest)
        self._attempt = Attempt(self, lease, lease.host.address, deadline)
        return self._attempt

    def _end(self, attempt: Attempt) -> Lease:
        if attempt is not self._attempt:
            raise ValueError("this attempt is over: it had its verdict before")
        self._attempt = None
        return attempt.lease
