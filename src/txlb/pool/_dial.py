"""
One client's search for a host that can be reached.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from txlb.model import Address, ProxyGroup
from txlb.pool._failure import Failure, FailureKind
from txlb.pool._lease import Lease
from txlb.pool._outcome import Outcome
from txlb.pool._timers import Timer

if TYPE_CHECKING:
    from txlb.pool._groupcounters import GroupCounters
    from txlb.pool._host import Host


class GaveUpReason(Enum):
    """
    The reason of a search that ended without a host.
    """

    NO_HOST = "no-host"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    LOCAL = "local"
    FULL = "full"
    QUEUE_TIMEOUT = "queue-timeout"
    CIRCUIT = "circuit"
    CLIENT_GONE = "client-gone"


@dataclass(frozen=True, slots=True)
class GaveUp:
    """
    The end of a search without a host.

    @ivar reason: the reason.
    @ivar failure: the last failure, if a host was tried. If that was a lack of ports,
        the last of another kind, if there was one.
    """

    reason: GaveUpReason
    failure: Failure | None = None


#: The excluded hosts of a search that has tried none.
NOBODY: frozenset[tuple[str, str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class DialLimits:
    """
    The limits of a search.

    @ivar connectTimeout: seconds for one host.
    @ivar dialTimeout: seconds for the whole search.
    @ivar retries: the number of other hosts that are tried after the first.
    """

    connectTimeout: float = 5.0
    dialTimeout: float = 10.0
    retries: int = 3


class Attempt:
    """
    One host to connect to now. Its owner connects and then calls exactly one of
    L{connected}, L{failed} and L{cancel}.

    @ivar dial: the search that it belongs to.
    @ivar lease: the claim on the host, whose count holds this attempt already.
    @ivar address: the address to connect to.
    @ivar deadline: the end of its time, in seconds of the pool's clock.
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

    @property
    def addresses(self) -> tuple[Address, ...]:
        """
        All addresses of the host, C{address} first, in the order in which they are
        tried. A relay tries the others if that one fails or does not answer soon.
        """
        return self.lease.host.addressesFrom(self.address)

    @property
    def latest(self) -> float:
        """
        The latest end of its time if the host has several addresses, each of which has
        C{connectTimeout} of its own: the end of the search.
        """
        return max(self.deadline, self.dial.began + self.dial.limits.dialTimeout)

    def reached(self, address: Address) -> None:
        """
        Record the address at which the host was reached, where later clients begin.
        This is called before L{connected}.
        """
        self.address = address
        self.lease.host.prefer(address)

    def connected(self) -> Lease:
        """
        Report that the host was reached.
        """
        return self.dial.connected(self)

    def failed(self, failure: Failure, slept: float = 0.0) -> Step:
        """
        Report that the host was not reached.
        """
        return self.dial.failed(self, failure, slept)

    def cancel(self) -> None:
        """
        Give the attempt up, without a report about the host.
        """
        self.dial.cancel()


class WaitingOwner(Protocol):
    """
    The owner of the places in a queue: a L{txlb.pool._queue.Queue}.
    """

    def forget(self, waiting: Waiting) -> None:
        """
        Let a client wait no more. If it does not wait, do nothing.
        """


class Waiting:
    """
    A client's place in the queue of its group. Its owner calls L{whenWoken} at once,
    and is called back exactly once, unless it calls L{cancel} before.

    @ivar dial: the search that it belongs to.
    @ivar deadline: the end of its wait.
    @ivar timer: the timer for that; the queue sets this.
    """

    __slots__ = ("_queue", "_woken", "deadline", "dial", "timer")

    def __init__(self, queue: WaitingOwner, dial: Dial, deadline: float) -> None:
        self._queue = queue
        self._woken: Callable[[Attempt | GaveUp], object] | None = None
        self.dial = dial
        self.deadline = deadline
        self.timer = Timer(self._expire)

    def whenWoken(self, woken: Callable[[Attempt | GaveUp], object]) -> None:
        """
        Set the function to call at the end of the wait.

        @param woken: is called with an L{Attempt} when it is this client's turn, or
            with a L{GaveUp}: the time is over, or no host is left that could get room.
            It must not raise.
        """
        self._woken = woken

    def cancel(self) -> None:
        """
        Leave the queue, because the client has gone. If it no longer waits, do nothing.
        """
        self._queue.forget(self)

    def wake(self, step: Attempt | GaveUp) -> None:
        """
        Tell the owner that the wait is over; the queue calls this.
        """
        woken, self._woken = self._woken, None
        if woken is not None:
            woken(step)

    def _expire(self, now: float) -> None:
        self._queue.forget(self)
        self.wake(self.dial.expired())


class SearchedPool(Protocol):
    """
    The part of a pool that a search needs. L{txlb.pool.HostPool} documents it.
    """

    settings: ProxyGroup
    counters: GroupCounters

    @property
    def group(self) -> str:
        """
        The name of its group.
        """

    @property
    def active(self) -> int:
        """
        The number of its leases.
        """

    def seconds(self) -> float:
        """
        Return the time by its clock.
        """

    def claim(
        self,
        clientAddr: object,
        excluded: frozenset[tuple[str, str, str]],
        now: float | None = None,
    ) -> Lease | None:
        """
        Claim the next host.
        """

    def mayWait(self, excluded: frozenset[tuple[str, str, str]]) -> bool:
        """
        Return whether a client that waits can get a host at all.
        """

    def wait(
        self, dial: Dial, excluded: frozenset[tuple[str, str, str]], latest: float
    ) -> Waiting | GaveUpReason:
        """
        Let a search wait.
        """

    def reportConnected(self, lease: Lease) -> float:
        """
        Report that a host was reached.
        """

    def reportFailed(self, lease: Lease, failure: Failure) -> None:
        """
        Report that a host could not be reached.
        """

    def pendingChanged(self, host: Host) -> None:
        """
        Review the circuit of a host.
        """

    def letGo(self, lease: Lease) -> None:
        """
        Take back the claim of a lease whose connection another process has.
        """


class Dial:
    """
    One client's search for a host. Each host is tried at most once. The search covers
    connecting alone: no byte of the client may have been written to a host before
    L{connected}.

    Made by L{HostPool.dial}; owned by its caller, which ends it by L{connected}, by a
    L{GaveUp}, or by L{cancel}.

    @ivar pool: the pool that is searched.
    @ivar clientAddr: the client's address.
    @ivar began: the time of its start, in seconds of the pool's clock.
    @ivar connectTime: seconds from there until a host was reached; L{None} before.
    @ivar tries: the number of hosts that have been tried.
    """

    __slots__ = (
        "_attempt",
        "_excluded",
        "_failure",
        "_limits",
        "_tried",
        "_waiting",
        "began",
        "clientAddr",
        "connectTime",
        "pool",
    )

    def __init__(self, pool: SearchedPool, clientAddr: object, limits: DialLimits) -> None:
        self.pool = pool
        self._limits = limits
        # Nearly always it has one entry, and a set of one is four times the size.
        self._tried: tuple[tuple[str, str, str], ...] = ()
        self._attempt: Attempt | None = None
        self._failure: Failure | None = None
        self._waiting: Waiting | None = None
        self._excluded = NOBODY
        self.clientAddr = clientAddr
        self.began = 0.0
        self.connectTime: float | None = None

    @classmethod
    def of(
        cls,
        pool: SearchedPool,
        clientAddr: object,
        limits: DialLimits,
        began: float,
        tried: tuple[tuple[str, str, str], ...],
        connectTime: float | None,
    ) -> Dial:
        """
        Make a search that began in another process; see L{HostPool.redial}.
        """
        dial = cls(pool, clientAddr, limits)
        dial.began, dial._tried, dial.connectTime = began, tried, connectTime
        return dial

    def kept(self) -> dict[str, object]:
        """
        Return what L{HostPool.redial} takes, as plain values. A host that is being connected to
        does not count as tried.
        """
        tried = self._tried if self._attempt is None else self._tried[:-1]
        return {
            "began": self.began,
            "tried": [key[2] for key in tried],
            "connectTime": self.connectTime,
        }

    @property
    def limits(self) -> DialLimits:
        """
        The limits of the search.
        """
        return self._limits

    @property
    def tries(self) -> int:
        """
        The number of hosts that have been tried, the present one included.
        """
        return len(self._tried)

    def start(self) -> Step:
        """
        Return the first host to try, or a place in the queue.

        @raise ValueError: the search has been started.
        """
        if self._tried or self._waiting is not None:
            raise ValueError("this search has begun already")
        now = self.began = self.pool.seconds()
        lease = self.pool.claim(self.clientAddr, NOBODY, now)
        latest = now + self._limits.dialTimeout
        return self._try(lease, now, latest) if lease is not None else self._wait(NOBODY, latest)

    def startWith(
        self, lease: Lease, excluded: frozenset[tuple[str, str, str]] = NOBODY
    ) -> Attempt:
        """
        Begin with a host that is chosen already.

        @param lease: the claim on it, which is the search's from here.
        @param excluded: keys of hosts that are not tried after it.
        """
        now = self.began = self.pool.seconds()
        self._excluded = excluded
        return self._try(lease, now, now + self._limits.dialTimeout)

    @property
    def tried(self) -> tuple[str, ...]:
        """
        The names of the hosts that have been tried, the present one included.
        """
        return tuple(key[2] for key in self._tried)

    @property
    def waitsUntil(self) -> float | None:
        """
        The end of its wait in the queue, in seconds of the pool's clock; L{None} if it does not
        wait.
        """
        return None if self._waiting is None else self._waiting.deadline

    @property
    def failedHosts(self) -> tuple[str, ...]:
        """
        The names of the hosts that could not be reached.
        """
        return self.tried if self._attempt is None else self.tried[:-1]

    def connected(self, attempt: Attempt) -> Lease:
        """
        Report that the host of the attempt was reached. The search is over.

        @return: the claim on it, for the caller to release.
        """
        lease = self._end(attempt)
        self.connectTime = self.pool.reportConnected(lease) - self.began
        return lease

    def failed(self, attempt: Attempt, failure: Failure, slept: float = 0.0) -> Step:
        """
        Report that the host of the attempt could not be reached.

        @param slept: seconds by which the search may take longer, because the process
            has slept since it began.
        @return: the next attempt, a place in the queue, or the end of the search.
        """
        lease = self._end(attempt)
        if self._failure is None or failure.kind is not FailureKind.PORTS:
            self._failure = failure
        self.pool.reportFailed(lease, failure)
        lease.release(Outcome.NOT_CONNECTED)
        if failure.kind is FailureKind.LOCAL:
            return GaveUp(GaveUpReason.LOCAL, failure)
        return self._next(self.began + self._limits.dialTimeout + slept)

    def again(self) -> Step:
        """
        Go on with a search that has reached a host, for work that failed there and may
        be repeated. The hosts that have been tried are not tried again, and C{dialTimeout}
        and C{retries} are those of the whole search.

        @raise ValueError: no host was reached yet, or the search goes on already.
        """
        if not self._tried or self._attempt is not None or self._waiting is not None:
            raise ValueError("this search has reached no host that it could leave")
        return self._next(self.began + self._limits.dialTimeout)

    def goOn(self) -> Step:
        """
        Go on with a search that began in another process and has reached no host.

        @return: the next attempt, a place in the queue, or the end of the search.
        @raise ValueError: it goes on already.
        """
        if self._attempt is not None or self._waiting is not None:
            raise ValueError("this search goes on already")
        return self._next(self.began + self._limits.dialTimeout)

    def waits(self, waiting: Waiting) -> None:
        """
        Have a place in the queue; L{HostPool.waitAgain} calls this.
        """
        self._waiting = waiting

    def cancel(self) -> None:
        """
        End the search, because its client is gone. If the search is over, do nothing.
        """
        attempt, waiting = self._attempt, self._waiting
        if attempt is not None:
            self._end(attempt).release(Outcome.CLIENT_GONE)
        elif waiting is not None:
            self._waiting = None
            waiting.cancel()

    def resume(self) -> Attempt | GaveUp | None:
        """
        Try to give a waiting search a host; its pool's queue calls this.

        @return: L{None} if it has to wait on.
        """
        waiting = self._waiting
        if waiting is None:
            return self._gaveUp(GaveUpReason.CLIENT_GONE)
        now = self.pool.seconds()
        excluded = self._excluded.union(self._tried)
        try:
            lease = self.pool.claim(self.clientAddr, excluded, now)
        except Exception as error:  # noqa: BLE001 - an error of a policy costs only its client
            self._waiting = None
            return GaveUp(GaveUpReason.LOCAL, Failure(FailureKind.LOCAL, repr(error)))
        if lease is None and self.pool.mayWait(excluded):
            return None
        self._waiting = None
        if lease is None:
            return self._gaveUp(GaveUpReason.UNREACHABLE if excluded else GaveUpReason.NO_HOST)
        latest = self.began + self._limits.dialTimeout
        if now >= waiting.deadline:
            # The process slept. The host has room, and gets its time to answer.
            latest = max(latest, now + self._limits.connectTimeout)
        return self._try(lease, now, latest)

    def expired(self) -> GaveUp:
        """
        End the wait after its time; the pool's queue calls this.
        """
        self._waiting = None
        return self._gaveUp(GaveUpReason.QUEUE_TIMEOUT)

    def _next(self, latest: float) -> Step:
        now = self.pool.seconds()
        if now >= latest:
            return self._gaveUp(GaveUpReason.TIMEOUT)
        if self.tries > self._limits.retries:
            return self._gaveUp(GaveUpReason.UNREACHABLE)
        excluded = self._excluded.union(self._tried)
        lease = self.pool.claim(self.clientAddr, excluded, now)
        return self._try(lease, now, latest) if lease is not None else self._wait(excluded, latest)

    def _wait(self, excluded: frozenset[tuple[str, str, str]], latest: float) -> Waiting | GaveUp:
        found = self.pool.wait(self, excluded, latest)
        if isinstance(found, GaveUpReason):
            return self._gaveUp(found)
        self._waiting = found
        return found

    def _try(self, lease: Lease, now: float, latest: float) -> Attempt:
        host = lease.host
        if self._tried:
            self.pool.counters.retries += 1
        self._tried += (host.key,)
        pending = host.pending = host.pending + 1
        if pending >= self.pool.settings.maxPending:
            self.pool.pendingChanged(host)
        deadline = min(now + self._limits.connectTimeout, latest)
        attempt = self._attempt = Attempt(self, lease, host.address, deadline)
        return attempt

    def _gaveUp(self, reason: GaveUpReason) -> GaveUp:
        failure = self._failure
        if (
            reason is GaveUpReason.UNREACHABLE
            and failure is not None
            and failure.kind is FailureKind.PORTS
        ):
            # No host that was tried caused it.
            reason = GaveUpReason.LOCAL
        return GaveUp(reason, failure)

    def _end(self, attempt: Attempt) -> Lease:
        if attempt is not self._attempt:
            raise ValueError("this attempt is over: it had its verdict before")
        self._attempt = None
        lease = attempt.lease
        host = lease.host
        host.pending -= 1
        if host.tripped:
            self.pool.pendingChanged(host)
        return lease


#: The result of one step of a search.
Step = Attempt | Waiting | GaveUp
