"""
The hosts that may be chosen next.

The scheduler holds the hosts that are ready. Hosts that only their health keeps
out stand in a table of their own, for a group in which every host is down. A host
is in each table according to its facts; L{Rotation.refresh} sees to that. Nothing
here knows of leases or of time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator

from txlb._facts import Facts
from txlb.errors import StateError
from txlb.interfaces import (
    IHost,
    IKeptScheduler,
    ISamplingScheduler,
    IScheduler,
    ISettlingScheduler,
    ITimedScheduler,
)
from txlb.pool._handover import Handover
from txlb.pool._health import HealthState
from txlb.pool._host import Host
from txlb.schedulers import Key

#: The hosts that one step of L{Rotation.prepare} gives to a policy.
AT_ONCE = 50

#: Makes a policy in place of one that raised, with the hosts that it holds. It does
#: not raise itself.
Replace = Callable[[IScheduler, Iterable[IHost], Exception], IScheduler]


class Rotation:
    """
    The hosts of one pool that may be chosen. Owned by the pool, whose parts call
    L{refresh} after every change of a host.

    A policy that raises is replaced, so that what it holds is always what the
    pool holds.

    @param replace: see C{Replace}.

    @ivar scheduler: the policy in use.
    @ivar wantsTimes: whether the policy uses the time that a host took to connect.
    """

    def __init__(self, scheduler: IScheduler, replace: Replace) -> None:
        self._replace = replace
        self._held: dict[Key, Host] = {}
        # The host that was tried the longest ago comes first.
        self._down: OrderedDict[Key, Host] = OrderedDict()
        self._full: dict[Key, Host] = {}
        self._up: dict[Key, Host] = {}
        self._upBackups: dict[Key, Host] = {}
        self._handover: Handover | None = None
        self._take(scheduler)

    def _take(self, scheduler: IScheduler) -> None:
        """
        Ask another policy from now on, which knows the held hosts by now.
        """
        self.scheduler = scheduler
        # What is told of every change of a host.
        self._told: IScheduler | Handover = scheduler
        if self._handover is not None:
            self._handover.present = scheduler
            self._told = self._handover
        # Looked up once: a look-up of an interface costs as much as a pick.
        self._sampling: ISamplingScheduler | None = ISamplingScheduler(scheduler, None)
        self._timed: ITimedScheduler | None = ITimedScheduler(scheduler, None)
        self._settling: ISettlingScheduler | None = ISettlingScheduler(scheduler, None)
        self._heedsConnectTime: bool = getattr(scheduler, "heedsConnectTime", True)
        self.wantsTimes = self._heedsConnectTime or self._sampling is not None

    def _failed(self, error: Exception) -> None:
        self._take(self._replace(self.scheduler, self._held.values(), error))

    @property
    def held(self) -> dict[Key, Host]:
        """
        The hosts that the scheduler holds, by their keys.
        """
        return dict(self._held)

    @property
    def readyCount(self) -> int:
        """
        The number of hosts that the scheduler holds.
        """
        return len(self._held)

    @property
    def upCount(self) -> int:
        """
        The number of hosts that are up, with room or without; no backup hosts.
        """
        return len(self._up)

    @property
    def upBackupCount(self) -> int:
        """
        The number of backup hosts that are up.
        """
        return len(self._upBackups)

    @property
    def anyDown(self) -> bool:
        """
        Whether there is a host that only its health keeps out, so that it
        can be tried if no other is left.
        """
        return bool(self._down)

    def anyFull(self, excluded: frozenset[Key]) -> bool:
        """
        Return whether there is a host that lacks only room.
        """
        return any(key not in excluded for key in self._full)

    def anyWaitable(self, excluded: frozenset[Key]) -> bool:
        """
        Return whether there is a host that can be chosen once one of its
        connections ends.
        """
        return any(not self._full[key].tripped for key in self._full if key not in excluded)

    # Hosts

    def refresh(self, host: Host) -> None:
        """
        Bring the tables in line with the facts of a host, and tell the scheduler
        if it holds the host, before or after.
        """
        key, ready = host.key, host.ready
        try:
            if ready and host.held:
                self._told.hostChanged(host)
            elif ready:
                self._held[key] = host
                host.held = True
                self._told.hostAdded(host)
            elif host.held:
                del self._held[key]
                host.held = False
                self._told.hostRemoved(host)
        except Exception as error:  # noqa: BLE001 - a policy of a plugin may raise anything
            self._failed(error)
        # A host that has never been checked is not known to be down.
        starting = host.health.state is HealthState.STARTING
        _put(self._down, host, not ready and not starting and host.takesWork)
        _put(self._full, host, not ready and host.isFull)
        up = host.isIn and host.wanted
        _put(self._up, host, up and not host.backup)
        _put(self._upBackups, host, up and host.backup)

    def counted(self, host: Host) -> None:
        """
        Do the same as L{refresh} if only the number of connections or the order changed. This
        is the common case: a host without a limit stays in its tables.
        """
        if host.held and host.maxConnections is None:
            try:
                self._told.hostChanged(host)
            except Exception as error:  # noqa: BLE001 - a policy of a plugin may raise anything
                self._failed(error)
        else:
            self.refresh(host)

    def connected(self, host: Host, seconds: float) -> None:
        """
        Tell the policy how long the host took to connect. The caller looks at
        C{wantsTimes} first.
        """
        if self._sampling is not None:
            self.sampled(host, seconds)
        if self._heedsConnectTime and host.held:
            self.counted(host)

    def sampled(self, host: Host, seconds: float) -> None:
        """
        Tell a policy that uses response times how long the host took.
        """
        if self._sampling is not None and host.held:
            try:
                self._sampling.hostSampled(host, seconds)
            except Exception as error:  # noqa: BLE001 - a policy of a plugin may raise anything
                self._failed(error)

    # Upgrades

    def downOrder(self) -> list[str]:
        """
        Return the names of the hosts that are down, the one that was tried the longest ago
        first.
        """
        return [key[2] for key in self._down]

    def restoreOrder(self, names: Iterable[str], keyOf: Callable[[str], Key]) -> None:
        """
        Put the hosts that are down in this order, as far as they are.
        """
        for name in names:
            key = keyOf(name)
            if key in self._down:
                self._down.move_to_end(key)

    def keptPolicy(self) -> dict[str, object] | None:
        """
        Return what the next choices of the policy depend on, as plain values; L{None} if it does
        not tell.
        """
        kept: IKeptScheduler | None = IKeptScheduler(self.scheduler, None)
        if kept is None:
            return None
        try:
            return {"word": kept.name, **kept.state()}
        except Exception as error:  # noqa: BLE001 - a policy of a plugin may raise anything
            self._failed(error)
            return None

    def restoringPolicy(self, facts: Facts) -> Callable[[], None]:
        """
        Read what L{keptPolicy} has returned. If another policy is in use by now it does not
        count.

        @return: lets the policy go on like that. The hosts are up to date by then.
        @raise StateError: a value can't be right.
        """
        scheduler = self.scheduler
        kept: IKeptScheduler | None = IKeptScheduler(scheduler, None)
        if kept is None or facts.text("word") != kept.name:
            return _nothing
        try:
            goOn = kept.restoring(facts.values)
        except StateError:
            raise
        except Exception as error:
            raise StateError(f"scheduler {kept.name} raised {error!r}") from error

        def take() -> None:
            if self.scheduler is scheduler:
                try:
                    goOn()
                except Exception as error:  # noqa: BLE001 - a policy of a plugin may raise anything
                    self._failed(error)

        return take

    # The policy

    def prepare(self, scheduler: IScheduler) -> Iterator[None]:
        """
        Give another policy the hosts, some at each step, while the present one chooses. Then
        L{use} of that policy takes no time.

        @raise Exception: while it is iterated over, the policy raises. Nothing has changed then.
        """
        handover = self._handover = Handover(self.scheduler, scheduler)
        self._told = handover
        hosts = list(self._held.values())
        for begin in range(0, len(hosts), AT_ONCE):
            # Some of them may be held no more.
            handover.give(host for host in hosts[begin : begin + AT_ONCE] if host.held)
            yield
            if handover.error is not None or handover is not self._handover:
                break
        if handover.error is not None:
            self.forgetPrepared()
            raise handover.error

    def forgetPrepared(self) -> None:
        """
        Drop the policy that L{prepare} was given, if it is not used yet.
        """
        self._handover, self._told = None, self.scheduler

    def use(self, scheduler: IScheduler, *, forget: bool = False) -> None:
        """
        Choose by another policy from now on. If it raises as it is given the hosts,
        so does this, and nothing has changed.

        @param scheduler: the policy. If it was prepared, it gets the hosts that are missing.
        @param forget: whether the policy so far is dropped without being told that the hosts
            are gone, which takes long for thousands of them: nothing else has it.
        """
        before, prepared = self.scheduler, self._handover
        if scheduler is before:
            return
        self.forgetPrepared()
        if prepared is not None and prepared.coming is scheduler:
            prepared.give(self._held.values())
            if prepared.error is not None:
                raise prepared.error
        else:
            for host in self._held.values():
                scheduler.hostAdded(host)
        self._take(scheduler)
        if not forget:
            self._dismiss(before)

    def useSafely(self, scheduler: IScheduler, *, forget: bool = False) -> None:
        """
        Choose by another policy from now on. If it raises it is replaced.

        @param forget: see L{use}.
        """
        before = self.scheduler
        try:
            self.use(scheduler, forget=forget)
        except Exception as error:  # noqa: BLE001 - a policy of a plugin may raise anything
            self._take(self._replace(scheduler, self._held.values(), error))
            if not forget:
                self._dismiss(before)

    def _dismiss(self, before: IScheduler) -> None:
        try:
            for host in self._held.values():
                before.hostRemoved(host)
        except Exception:  # noqa: BLE001, S110 - the pool does not use it any more
            pass

    def settle(self, everything: bool = False) -> None:
        """
        Let the policy work on its tables after a change.

        @param everything: see L{ISettlingScheduler.settle}.
        """
        if self._settling is not None:
            try:
                self._settling.settle(everything)
            except Exception as error:  # noqa: BLE001 - a policy of a plugin may raise anything
                self._failed(error)

    def nextTurn(self) -> float | None:
        """
        Return when the policy itself has something to do next; L{None} for never.
        """
        if self._timed is None:
            return None
        try:
            return self._timed.nextDeadline()
        except Exception as error:  # noqa: BLE001 - a policy of a plugin may raise anything
            self._failed(error)
            return None

    def advance(self, now: float) -> None:
        """
        Let the policy do what is due by C{now}.
        """
        if self._timed is not None:
            try:
                self._timed.advance(now)
            except Exception as error:  # noqa: BLE001 - a policy of a plugin may raise anything
                self._failed(error)

    def next(self, clientAddr: object, excluded: frozenset[Key]) -> Host | None:
        """
        Return the host that the scheduler chooses; L{None} for none.
        """
        try:
            chosen: IHost | None = self.scheduler.nextHost(clientAddr, excluded)
            return None if chosen is None else self._held[chosen.key]
        except Exception as error:  # noqa: BLE001 - a policy of a plugin may raise anything
            return self._nextAfter(error, clientAddr, excluded)

    def _nextAfter(
        self, error: Exception, clientAddr: object, excluded: frozenset[Key]
    ) -> Host | None:
        """
        Return the choice of the policy that replaces one that raised, or that
        chose a host which it does not hold. It ends: after a few faults a
        policy stands in that does not raise.
        """
        while True:
            self._failed(error)
            try:
                chosen: IHost | None = self.scheduler.nextHost(clientAddr, excluded)
                return None if chosen is None else self._held[chosen.key]
            except Exception as again:  # noqa: BLE001 - a policy of a plugin may raise anything
                error = again

    def nextDown(self, excluded: frozenset[Key]) -> Host | None:
        """
        Return the host that is down and was tried the longest ago.
        """
        for key, host in self._down.items():
            if key not in excluded:
                self._down.move_to_end(key)
                return host
        return None


def _nothing() -> None:
    """
    Do nothing: no state of the policy is taken over.
    """


def _put(table: dict[Key, Host], host: Host, belongs: bool) -> None:
    """
    Have a host stand in a table, or not. A host that stands in it keeps its place.
    """
    if belongs:
        table.setdefault(host.key, host)
    elif table.get(host.key) is host:
        del table[host.key]
