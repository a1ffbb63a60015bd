"""
Who may be chosen next.

The scheduler holds the hosts that are ready. Those that only their health or mark keeps
out stand in a list of their own, for when no other is left, and in a heap by
the time at which they are due again. This file keeps all three in line with the
facts of a host; it knows nothing of leases.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterator

from txlb.interfaces import IHost, ISamplingScheduler, IScheduler, ITimedScheduler
from txlb.pool._health import HealthState
from txlb.pool._host import Host
from txlb.pool._mark import MarkEvent, MarkState
from txlb.schedulers import Key

#: When a host is due again; a number, so that hosts are never compared; the host.
Retry = tuple[float, int, Host]

#: With so many entries the heap of retries is looked through for the first time.
CROWD = 32


class Rotation:
    """
    The hosts of one pool that may be chosen. Owned by the pool, which says
    L{refresh} after every change of a host.

    @ivar scheduler: the policy in use.
    @ivar wantsTimes: whether it looks at how long hosts take to be reached.
    @ivar retries: when hosts that are down are due again, as a heap; some entries
        may mean nothing any more.
    """

    def __init__(self, scheduler: IScheduler) -> None:
        self.take(scheduler)
        self._held: dict[Key, Host] = {}
        # The host that was tried the longest ago comes first.
        self._marked: OrderedDict[Key, Host] = OrderedDict()
        self._full: dict[Key, Host] = {}
        self._up: dict[Key, Host] = {}
        self._upBackups: dict[Key, Host] = {}
        self.retries: list[Retry] = []
        self._crowded = CROWD
        self._number = 0

    def take(self, scheduler: IScheduler) -> None:
        """
        Ask another policy from now on, which knows the held hosts by now.
        """
        self.scheduler = scheduler
        # Asked for once, as a look at interfaces costs as much as a pick.
        self._sampling: ISamplingScheduler | None = ISamplingScheduler(scheduler, None)
        self._timed: ITimedScheduler | None = ITimedScheduler(scheduler, None)
        self._heedsConnectTime: bool = getattr(scheduler, "heedsConnectTime", True)
        self.wantsTimes = self._heedsConnectTime or self._sampling is not None

    @property
    def held(self) -> dict[Key, Host]:
        """
        The hosts that the scheduler holds, by their keys.
        """
        return dict(self._held)

    @property
    def readyCount(self) -> int:
        """
        How many hosts the scheduler holds.
        """
        return len(self._held)

    def holds(self, host: Host) -> bool:
        """
        Whether the scheduler holds a host.
        """
        return host.held

    @property
    def upCount(self) -> int:
        """
        How many hosts are up, with room or without; no backup hosts.
        """
        return len(self._up)

    @property
    def upBackupCount(self) -> int:
        """
        How many backup hosts are up.
        """
        return len(self._upBackups)

    def anyFull(self, excluded: frozenset[Key]) -> bool:
        """
        Whether a host would do if it had room.
        """
        return any(key not in excluded for key in self._full)

    def anyWaitable(self, excluded: frozenset[Key]) -> bool:
        """
        Whether a host would do if one of its connections ended.
        """
        return any(not self._full[key].tripped for key in self._full if key not in excluded)

    def refresh(self, host: Host) -> None:
        """
        Bring everything in line with the facts of a host, which is told to the
        scheduler where it is held and stays so.
        """
        key, ready = host.key, host.ready
        if ready and host.held:
            self.scheduler.hostChanged(host)
        elif ready:
            self._held[key] = host
            host.held = True
            self.scheduler.hostAdded(host)
        elif host.held:
            del self._held[key]
            host.held = False
            self.scheduler.hostRemoved(host)
        # A host that has never been checked is not known to be down.
        starting = host.health.state is HealthState.STARTING
        _put(self._marked, host, not ready and not starting and host.takesWork)
        _put(self._full, host, not ready and host.isFull)
        up = host.isIn and host.wanted
        _put(self._up, host, up and not host.backup)
        _put(self._upBackups, host, up and host.backup)

    def counted(self, host: Host) -> None:
        """
        The same where only the host's count has changed, which is the common
        case: without a limit, that decides nothing.
        """
        if host.held and host.maxConnections is None:
            self.scheduler.hostChanged(host)
        else:
            self.refresh(host)

    def connected(self, host: Host, seconds: float) -> None:
        """
        The host took so long to be reached. To be told where C{wantsTimes} says so.
        """
        if self._sampling is not None:
            self.sampled(host, seconds)
        if self._heedsConnectTime and host.held:
            self.scheduler.hostChanged(host)

    def use(self, scheduler: IScheduler) -> None:
        """
        Choose by another policy from now on.
        """
        before = self.scheduler
        if scheduler is before:
            return
        # The new one first: where it raises, nothing has changed.
        for host in self._held.values():
            scheduler.hostAdded(host)
        self.take(scheduler)
        for host in self._held.values():
            before.hostRemoved(host)

    def sampled(self, host: Host, seconds: float) -> None:
        """
        Tell a policy that wants to know how long a host took.
        """
        if self._sampling is not None and host.held:
            self._sampling.hostSampled(host, seconds)

    def nextTurn(self) -> float | None:
        """
        When the policy itself has something to do next.
        """
        return None if self._timed is None else self._timed.nextDeadline()

    def advance(self, now: float) -> None:
        """
        Let the policy do what is due by C{now}.
        """
        if self._timed is not None:
            self._timed.advance(now)

    def next(self, clientAddr: object, excluded: frozenset[Key]) -> Host | None:
        """
        The host that the scheduler chooses.
        """
        chosen: IHost | None = self.scheduler.nextHost(clientAddr, excluded)
        return None if chosen is None else self._held[chosen.key]

    def nextMarked(self, excluded: frozenset[Key]) -> Host | None:
        """
        The marked host that was tried the longest ago.
        """
        for key, host in self._marked.items():
            if key not in excluded:
                self._marked.move_to_end(key)
                return host
        return None

    def retryLater(self, host: Host) -> None:
        """
        A host is down, and due again when its mark says.
        """
        self._number += 1
        heapq.heappush(self.retries, (host.mark.retryAt, self._number, host))
        if len(self.retries) > self._crowded:
            self._compact()

    def _compact(self) -> None:
        """
        Drop the entries that mean nothing any more, or hosts that go up and down
        would pile them up.
        """
        current = {entry[2].key: entry for entry in self.retries if _isCurrent(entry)}
        self.retries = list(current.values())
        heapq.heapify(self.retries)
        self._crowded = max(CROWD, 2 * len(self.retries))

    def nextDeadline(self) -> float | None:
        """
        When the next host is due.
        """
        return self.retries[0][0] if self.retries else None

    def due(self, now: float) -> Iterator[Host]:
        """
        The hosts whose time has come by C{now}, with their marks moved on.
        """
        while self.retries and self.retries[0][0] <= now:
            entry = heapq.heappop(self.retries)
            if _isCurrent(entry):
                host = entry[2]
                host.mark.happened(MarkEvent.TIME, now)
                yield host


def _put(table: dict[Key, Host], host: Host, belongs: bool) -> None:
    """
    Have a host stand in a table, or not; where it stands already it keeps its
    place.
    """
    if belongs:
        table.setdefault(host.key, host)
    elif table.get(host.key) is host:
        del table[host.key]


def _isCurrent(entry: Retry) -> bool:
    """
    Whether an entry still says when its host is due: one that came up and went
    down since then has a later entry.
    """
    retryAt, _, host = entry
    mark = host.mark
    return mark.state is MarkState.DOWN and mark.retryAt == retryAt and not host.leaving
