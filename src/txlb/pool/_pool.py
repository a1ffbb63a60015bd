"""
The hosts of one group as they are now, and who has a claim on them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from random import Random as RandomSource

from txlb.errors import DuplicateName, NoHostAvailable, UnknownName
from txlb.interfaces import IScheduler
from txlb.model import Address, ProxyHost, checkWeight
from txlb.pool._dial import Dial, DialLimits, Failure, FailureKind
from txlb.pool._events import Details, Event, EventKind, changed
from txlb.pool._health import MarkEvent
from txlb.pool._host import Host
from txlb.pool._lease import Lease, Outcome
from txlb.pool._rotation import Rotation
from txlb.pool._snapshots import GroupSnapshot, hostSnapshot
from txlb.schedulers import Key, leastc, schedulerFactory

#: These failures say something about the host.
MARKING = frozenset({FailureKind.REFUSED, FailureKind.TIMEOUT, FailureKind.UNREACHABLE})

#: All that is told of a host once it was deleted.
OF_LEAVING = frozenset({EventKind.HOST_REMOVED, EventKind.HOST_GONE})


class HostPool:
    """
    The hosts of one group. It is called from one thread and does no I/O; in a
    balancer L{txlb.manager.ProxyManager} owns it, elsewhere whoever made it.

    @param scheduler: the word for a policy, or a policy.
    @param hosts: what to begin with.
    @param service: the name of the service that the group belongs to.
    @param group: the name of the group.
    @param passiveFall: failures to connect in a row that put a host out.
    @param whenAllDown: where no host is ready, C{try} those that are marked, or
        C{close}: find none.
    @param seconds: a monotonic clock.
    @param random: the source of chance; by default one that the system seeds.
    @param publish: is called with each L{Event} after it has happened.
    """

    def __init__(
        self,
        scheduler: str | IScheduler = leastc,
        hosts: Iterable[ProxyHost] = (),
        *,
        service: str = "",
        group: str = "",
        passiveFall: int = 1,
        whenAllDown: str = "try",
        seconds: Callable[[], float] = time.monotonic,
        random: RandomSource | None = None,
        publish: Callable[[Event], None] | None = None,
    ) -> None:
        self.service = service
        self.group = group
        self.passiveFall = passiveFall
        self.whenAllDown = whenAllDown
        self.seconds = seconds
        self._random = random if random is not None else RandomSource()
        self._publish = publish
        self._hosts: dict[str, Host] = {}
        self._leaving: dict[int, Host] = {}
        self._rotation = Rotation(self._made(scheduler))
        for host in hosts:
            self.addHost(host)

    # Hosts

    @property
    def hosts(self) -> list[Host]:
        """
        The hosts that are configured, in the order in which they were added.
        """
        return list(self._hosts.values())

    @property
    def leaving(self) -> list[Host]:
        """
        The hosts that were deleted and wait for their leases to end.
        """
        return list(self._leaving.values())

    def getHost(self, name: str) -> Host:
        """
        @raise UnknownName: there is no such host.
        """
        try:
            return self._hosts[name]
        except KeyError:
            raise UnknownName(f"host of {self._where}", name, self._hosts) from None

    def addHost(self, configured: ProxyHost) -> Host:
        """
        A host is there from now on.

        @raise DuplicateName: its name is taken.
        """
        if configured.name in self._hosts:
            raise DuplicateName(f"{self._where} has a host {configured.name!r} already")
        now = self.seconds()
        host = Host((self.service, self.group, configured.name), configured, now)
        self._hosts[configured.name] = host
        self._rotation.refresh(host)
        message = f"added at {configured.address}"
        self._tell(EventKind.HOST_ADDED, host, message, now, changed(None, host.settings))
        return host

    def removeHost(self, name: str) -> Host:
        """
        A host gets nothing new from now on, and its name is free. It lives on
        until its leases have ended.

        @raise UnknownName: there is no such host.
        """
        host = self.getHost(name)
        del self._hosts[name]
        host.leaving = True
        self._rotation.refresh(host)
        now = self.seconds()
        message = f"removed, {host.active} connections left"
        self._tell(EventKind.HOST_REMOVED, host, message, now, changed(host.settings, None))
        if host.active:
            self._leaving[id(host)] = host
        else:
            self._tell(EventKind.HOST_GONE, host, "gone", now)
        return host

    def setWeight(self, name: str, weight: int) -> None:
        """
        Give a host another weight; 0 drains it.

        @raise ModelError: the weight breaks the rule.
        @raise UnknownName: there is no such host.
        """
        host = self.getHost(name)
        checkWeight(weight, f"host {name!r}")
        before = host.weight
        if before == weight:
            return
        host.weight = weight
        if weight:
            host.effectiveWeight = float(weight)
        self._rotation.refresh(host)
        details = changed(before, weight)
        self._tell(
            EventKind.HOST_WEIGHT, host, f"weight {before} -> {weight}", self.seconds(), details
        )

    def setAddresses(self, name: str, addresses: Sequence[Address]) -> None:
        """
        A look-up of a host's name had this answer; an empty one keeps what is
        known.

        @raise UnknownName: there is no such host.
        """
        host = self.getHost(name)
        before = host.addresses
        if not addresses or set(before) == set(addresses):
            return
        host.addresses = tuple(addresses)
        self._rotation.refresh(host)
        found = ", ".join(map(str, addresses))
        self._tell(EventKind.HOST_RESOLVED, host, f"is at {found}", self.seconds())

    def reportUnresolved(self, name: str, reason: str) -> None:
        """
        A look-up of a host's name failed. What is known of it is kept.

        @raise UnknownName: there is no such host.
        """
        host = self.getHost(name)
        kept = "the last answer is kept" if host.addresses else "it is down until it has an address"
        message = f"{host.configured.ipOrHost} can't be resolved ({reason}); {kept}"
        self._tell(EventKind.HOST_UNRESOLVED, host, message, self.seconds())

    # Policy

    @property
    def scheduler(self) -> IScheduler:
        """
        The policy in use.
        """
        return self._rotation.scheduler

    def setScheduler(self, scheduler: str | IScheduler) -> None:
        """
        Choose by another policy from now on. Counts, leases and marks stay.

        @raise UnknownName: there is no policy of this word.
        """
        self._rotation.use(self._made(scheduler))

    def _made(self, scheduler: str | IScheduler) -> IScheduler:
        if isinstance(scheduler, str):
            return schedulerFactory(scheduler, random=self._random)
        return scheduler

    # Work

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
        due = self._rotation.nextDeadline()
        if due is not None and due <= now:
            self.advance(now)
        host = self._rotation.next(clientAddr, excluded)
        if host is None and self.whenAllDown == "try":
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

    # What work has told

    def reportConnected(self, lease: Lease) -> None:
        """
        The connection for which the lease was taken has been established.
        """
        host, now = lease.host, self.seconds()
        host.counters.connections += 1
        host.connectTime = now - lease.since
        self._succeeded(host, now)
        self._rotation.counted(host)

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
        if host.mark.failed(str(failure), self.passiveFall, trial, now):
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
            self._rotation.refresh(host)
            self._tell(EventKind.HOST_UP, host, "can be reached again", now)

    # Time

    def nextDeadline(self) -> float | None:
        """
        When L{advance} has something to do next; L{None} for not before
        something else happens.
        """
        return self._rotation.nextDeadline()

    def advance(self, now: float) -> None:
        """
        Do what is due by C{now}: hosts whose time has come may be tried again.
        """
        for host in self._rotation.due(now):
            self._rotation.refresh(host)

    # Views

    @property
    def readyCount(self) -> int:
        """
        How many hosts may be chosen.
        """
        return self._rotation.readyCount

    @property
    def active(self) -> int:
        """
        How many leases there are, on hosts that are leaving too.
        """
        return sum(host.active for host in (*self._hosts.values(), *self._leaving.values()))

    def snapshot(self, enabled: bool = True) -> GroupSnapshot:
        """
        How things stand.

        @param enabled: whether the group gets its service's connections.
        """
        now = self.seconds()
        hosts = (*self._hosts.values(), *self._leaving.values())
        return GroupSnapshot(
            self.group,
            self.scheduler.name,
            enabled,
            self.readyCount,
            tuple(hostSnapshot(host, now) for host in hosts),
        )

    # Inside

    @property
    def _where(self) -> str:
        if not self.group:
            return "the pool"
        return f"group {self.group!r} of service {self.service!r}"

    def _tell(
        self, kind: EventKind, host: Host, message: str, now: float, details: Details | None = None
    ) -> None:
        # The name of a host that is leaving may be another's by now.
        about = not host.leaving or kind in OF_LEAVING
        if about and self._publish is not None:
            self._publish(Event(kind, host.key, message, now, details or {}))
