"""
The hosts of one group as they are now.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from random import Random as RandomSource
from typing import Any

from txlb.errors import DuplicateName, ModelError, NoHostAvailable, UnknownName
from txlb.interfaces import IScheduler
from txlb.model import Address, ProxyGroup, ProxyHost, checkClock, shown
from txlb.pool._announcer import Announcer
from txlb.pool._backup import Backups
from txlb.pool._circuit import CircuitBreaker
from txlb.pool._dial import Dial, DialLimits, GaveUpReason, Waiting
from txlb.pool._drains import Drains
from txlb.pool._events import Event
from txlb.pool._explain import Explainer, Explanation
from txlb.pool._failure import Failure
from txlb.pool._groupcounters import GroupCounters
from txlb.pool._health import FALL, RISE, CheckResult
from txlb.pool._host import Host
from txlb.pool._keptpool import KeptPool
from txlb.pool._lease import Lease
from txlb.pool._members import Ending, Members
from txlb.pool._outcome import Outcome
from txlb.pool._policies import PolicyMaker, cannotUse
from txlb.pool._queue import Queue
from txlb.pool._rotation import Rotation
from txlb.pool._snapshots import GroupSnapshot, HostSnapshot, hostSnapshot
from txlb.pool._timers import Timers
from txlb.pool._tracker import HealthTracker
from txlb.pool._weighing import Weighing
from txlb.schedulers import Key, leastc
from txlb.wire import AgentReply

#: The settings of a group that can be given by name.
_SETTINGS = frozenset(each.name for each in fields(ProxyGroup) if each.init)

#: The usual end of work, which is looked at for each connection.
_DONE = Outcome.DONE


class HostPool:
    """
    The hosts of one group. It is called from one thread and does no I/O; in a
    balancer L{txlb.manager.ProxyManager} owns it, elsewhere its maker does.

    It owns the parts of its work and passes calls on to them:

      - L{Members} has the hosts and makes them follow their configuration;
      - L{HealthTracker} marks hosts down and up;
      - L{Weighing} keeps their effective weights;
      - L{Rotation} has the hosts that may be chosen, and the policy;
      - L{Backups} uses the backup hosts and leaves them;
      - L{CircuitBreaker} limits the connections that are being opened;
      - L{Queue} has the clients that wait;
      - L{Drains} has the deadlines of hosts that drain;
      - L{Timers} has the times at which one of them has something to do;
      - L{KeptPool} hands all of it to the pool of another process.

    @param scheduler: the word for a policy, or a policy.
    @param hosts: the hosts to begin with.
    @param service: the name of the service that the group belongs to.
    @param group: the name of the group.
    @param settings: a group whose settings count; by default a group without
        settings.
    @param seconds: a monotonic clock.
    @param random: the source of chance; by default one that the system seeds.
    @param publish: is called with each L{Event} after it happened.
    @param more: settings of a L{txlb.model.ProxyGroup}, by name.
    @raise ModelError: a setting breaks a rule.

    @ivar settings: the group as it is configured now; L{follow} changes it.
    @ivar counters: the counts of the group as a whole.
    @ivar kept: its state for the successor of an upgrade, and the way back. After
        C{kept.restoring} and L{readopt} comes L{restored}.
    @ivar wakeBy: is called with a time by which L{advance} has to be called;
        L{None} if the owner looks at L{nextDeadline} often enough.
    """

    def __init__(
        self,
        scheduler: str | IScheduler = leastc,
        hosts: Iterable[ProxyHost] = (),
        *,
        service: str = "",
        group: str = "",
        settings: ProxyGroup | None = None,
        seconds: Callable[[], float] = time.monotonic,
        random: RandomSource | None = None,
        publish: Callable[[Event], None] | None = None,
        **more: Any,
    ) -> None:
        checkClock(seconds)
        for name in more:
            if name not in _SETTINGS:
                raise UnknownName("setting of a group", name, _SETTINGS)
        if isinstance(scheduler, str):
            more["scheduler"] = scheduler
        wanted = settings or ProxyGroup("pool")
        # The group of a manager is kept as it is, so that the manager sees that its
        # pool follows it.
        if more != {"scheduler": wanted.scheduler} or hosts is not wanted.hosts:
            given: Any = hosts
            wanted = replace(wanted, hosts=given, **more)
        self.service = service
        self.group = group
        self.seconds = seconds
        self.settings = replace(wanted, hosts=())
        self.wakeBy: Callable[[float], object] | None = None
        announcer = self._announcer = Announcer(service, group, publish)
        # Times that a choice depends on are looked at before each choice. The others may
        # call back clients, and wait for the next advance().
        self._choiceTimers, self._timers = Timers(), Timers()
        table: dict[str, Host] = {}
        chance = random if random is not None else RandomSource()
        self._policies = PolicyMaker(self._getSettings, seconds, chance, announcer)
        self._rotation = Rotation(self._policies.make(scheduler), self._policies.replace)
        self._policies.chose(scheduler)
        self._weighing = Weighing(self._getSettings, self._weighed, self._choiceTimers, announcer)
        self._backups = Backups(
            self._getSettings, table, self._rotation, self._timers, announcer, self._wake
        )
        self._queue = Queue(self._timers, self._mayHelp)
        self._waiting = self._queue.waiting
        self._circuit = CircuitBreaker(self._getSettings, self._rotation, announcer)
        self._drains = Drains(self._timers, self._wake)
        counters = self.counters = GroupCounters()
        self._durations = counters.durations
        self._tracker = HealthTracker(
            self._getSettings,
            table,
            self._rotation,
            self._weighing,
            self._drains,
            self._choiceTimers,
            announcer,
            self._settle,
            self._wake,
            counters.connectTimes,
        )
        self._members = Members(
            table,
            self._rotation,
            self._weighing,
            self._backups,
            self._drains,
            self._tracker,
            announcer,
            counters,
        )
        self.kept = KeptPool(
            self._members,
            self._rotation,
            self._weighing,
            self._backups,
            self._drains,
            self._tracker,
            self._circuit,
            announcer,
            counters,
        )
        self._expectsAnswer = False
        self.follow(wanted)
        self._rotation.settle(everything=True)
        self._weighing.running = self._backups.running = True

    # What there is

    @property
    def hosts(self) -> list[Host]:
        """
        The hosts that are configured, in their order.
        """
        return list(self._members.configured.values())

    @property
    def leaving(self) -> list[Host]:
        """
        The hosts that were removed and wait for their leases to end.
        """
        return self._members.leaving

    def getHost(self, name: str) -> Host:
        """
        Return the host of a name.

        @raise UnknownName: there is no such host.
        """
        try:
            return self._members.configured[name]
        except KeyError:
            known = self._members.configured
            raise UnknownName(f"host of {self._announcer.where}", name, known) from None

    @property
    def scheduler(self) -> IScheduler:
        """
        The policy in use.
        """
        return self._rotation.scheduler

    @property
    def readyCount(self) -> int:
        """
        The number of hosts that may be chosen.
        """
        return self._rotation.readyCount

    @property
    def upCount(self) -> int:
        """
        The number of hosts that are up, with room or without, backup hosts included.
        """
        return self._rotation.upCount + self._rotation.upBackupCount

    @property
    def whyNoHost(self) -> str:
        """
        The reason why it has no host for clients; empty if a host is up, or may be tried again.
        """
        if self.upCount or self.readyCount:
            return ""
        return f"no host of {self.service}/{self.group} is up"

    @property
    def active(self) -> int:
        """
        The number of leases, those on hosts that are leaving included.
        """
        return self._members.active

    @property
    def cut(self) -> Callable[[Host, Outcome], object] | None:
        """
        What is called with a host and an outcome to reset, soon, the connections
        that the host has; L{None} if nothing can.
        """
        return self._drains.cut

    @cut.setter
    def cut(self, cut: Callable[[Host, Outcome], object] | None) -> None:
        self._drains.cut = cut

    # The configuration

    def follow(self, group: ProxyGroup, endings: Mapping[str, Ending] | None = None) -> None:
        """
        Be as a group says from now on, by the smallest set of changes. Hosts that
        stay, by their names, keep their leases, counters and health. A host that
        is removed gets nothing new, and its connections go on. A host that has
        another address is the same host; what is known of the health of the old
        address is forgotten.

        It does not raise: a policy that does is replaced. Clients that wait are
        served after everything is done.

        @param group: the hosts, the scheduler and the settings. Its name and
            C{enabled} are not looked at.
        @param endings: what happens to connections of hosts that are drained or
            removed, by their names.
        """
        before, self.settings, now = self.settings, group, self.seconds()
        ending = endings or {}
        self._expectsAnswer = group.expectAnswer
        self._queue.held = True
        try:
            self._members.remove(group, ending, now)
            # Now the pool has only hosts that the new policy takes as well.
            if group.scheduler != before.scheduler or self._wantsAnew(before, group):
                forget = self._policies.wasMade
                made = self._policies.makeSafely(group.scheduler)
                self._rotation.useSafely(made, forget=forget)
            self._members.follow(group, ending, now)
            if group.maxPending != before.maxPending:
                for host in self._members.configured.values():
                    self._circuit.review(host, now)
        finally:
            self._queue.held = False
        self._rotation.settle()
        self._settle(now)

    def _wantsAnew(self, before: ProxyGroup, after: ProxyGroup) -> bool:
        """
        Return whether the policy uses a setting that changed.
        """
        if before.schedulerSettings == after.schedulerSettings:
            return False
        return self._policies.uses(before.schedulerSettings, after.schedulerSettings)

    def addHost(self, configured: ProxyHost) -> Host:
        """
        Add a host.

        @raise DuplicateName: its name is taken.
        @raise ModelError: it is no L{ProxyHost}, or the policy doesn't take so many
            hosts.
        """
        if not isinstance(configured, ProxyHost):
            raise ModelError(f"{shown(configured)} is no ProxyHost")
        if configured.name in self._members.configured:
            where = self._announcer.where
            raise DuplicateName(f"{where} has a host {configured.name!r} already")
        self.follow(replace(self.settings, hosts=(*self.settings.hosts, configured)))
        return self.getHost(configured.name)

    def removeHost(self, name: str, deadline: float | None = None, force: bool = False) -> Host:
        """
        Remove a host. It gets nothing new, and its name is free. It lives on until
        its leases have ended.

        @param deadline: seconds after which the connections that are left are
            reset; L{None} for never.
        @param force: reset them at once.
        @raise UnknownName: there is no such host.
        """
        host = self.getHost(name)
        hosts = tuple(each for each in self.settings.hosts if each.name != name)
        self.follow(replace(self.settings, hosts=hosts), {name: Ending(deadline, force)})
        return host

    def changeHost(self, configured: ProxyHost, deadline: float | None = None) -> None:
        """
        Configure the host of a name anew.

        @param deadline: if it drains or is in maintenance now, seconds after which
            the connections that are left are reset; L{None} for never.
        @raise UnknownName: there is no such host.
        """
        name = self.getHost(configured.name).name
        hosts = (configured if each.name == name else each for each in self.settings.hosts)
        self.follow(replace(self.settings, hosts=tuple(hosts)), {name: Ending(deadline)})

    def setState(self, name: str, state: str, deadline: float | None = None) -> None:
        """
        Set the state of a host: C{ready}; C{drain}, with which it gets nothing new
        and keeps its connections; or C{maintenance}, the same without checks.

        @param deadline: see L{changeHost}.
        @raise ModelError: there is no such state.
        @raise UnknownName: there is no such host.
        """
        self.changeHost(replace(self.getHost(name).configured, state=state), deadline)

    def setWeight(self, name: str, weight: int) -> None:
        """
        Set the weight of a host; 0 drains it.

        @raise ModelError: the weight breaks the rule.
        @raise UnknownName: there is no such host.
        """
        self.changeHost(replace(self.getHost(name).configured, weight=weight))

    def setSettings(self, settings: ProxyGroup) -> None:
        """
        Have the settings of another group, but not its name, hosts, scheduler, and
        whether it is enabled.
        """
        own = self.settings
        self.follow(
            replace(
                settings,
                name=own.name,
                hosts=own.hosts,
                scheduler=own.scheduler,
                enabled=own.enabled,
            )
        )

    def setScheduler(self, scheduler: str | IScheduler) -> None:
        """
        Choose by another policy from now on. Counts, leases and health stay.

        @param scheduler: a word, with which the policy has those settings of the
            group that it wants; or a policy.
        @raise ModelError: the policy doesn't take so many hosts.
        @raise UnknownName: there is no policy of this word.
        @raise Exception: the policy raises as it is made or given the hosts; the
            pool goes on with the one that it has.
        """
        wanted = self.settings
        if isinstance(scheduler, str):
            wanted = replace(wanted, scheduler=scheduler)
        self._rotation.use(self._policies.make(scheduler), forget=self._policies.wasMade)
        self._policies.chose(scheduler)
        self.settings = wanted
        self._rotation.settle()

    def preparing(self, group: ProxyGroup) -> Iterator[None]:
        """
        Fill the policy that a group wants beside the present one, some hosts at each step, if it
        is another one. Then L{follow} of such a group uses it without delay.

        @raise ModelError: while it is iterated over, the policy raises as it is made or given
            the hosts that may be chosen now. Nothing has changed then.
        """
        if group.scheduler == self.settings.scheduler:
            return
        try:
            made = self._policies.prepare(group)
            if made is not None:
                yield from self._rotation.prepare(made)
        except Exception as error:
            self._policies.forgetPrepared()
            raise cannotUse(self.service, group, error) from error

    def forgetPrepared(self) -> None:
        """
        Drop a policy that was prepared and is not used yet.
        """
        self._policies.forgetPrepared()
        self._rotation.forgetPrepared()

    # What is reported about hosts

    def setAddresses(self, name: str, addresses: Sequence[Address]) -> None:
        """
        Report what a look-up of a host's name found. If it is empty, what is known
        is kept.

        @raise UnknownName: there is no such host.
        """
        host, now = self.getHost(name), self.seconds()
        if self._members.resolved(host, addresses, now):
            self._settle(now)

    def reportUnresolved(self, name: str, reason: str) -> None:
        """
        Report that a look-up of a host's name failed. What is known is kept.

        @raise UnknownName: there is no such host.
        """
        self._members.unresolved(self.getHost(name), reason, self.seconds())

    def reportConnected(self, lease: Lease) -> float:
        """
        Report that the connection of a lease was established.

        @return: when, in seconds of the pool's clock.
        """
        now = self.seconds()
        self._tracker.connected(lease, now)
        return now

    def reportTime(self, lease: Lease, seconds: float) -> None:
        """
        Report how long the host of a lease took; L{Lease.took} calls this.
        """
        self._rotation.sampled(lease.host, seconds)

    def reportFailed(self, lease: Lease, failure: Failure) -> None:
        """
        Report that the connection of a lease could not be established.
        """
        self._tracker.failed(lease, failure, self.seconds())

    def reportLoad(self, name: str, available: float, good: float = 0.0) -> None:
        """
        Report how much of itself a host has left. If nothing is reported for three
        intervals, it weighs as configured again.

        @param available: 0 to 1; with 0 the host gets nothing new, unless no other
            host can take it.
        @param good: seconds after which the host weighs as configured again, in place of three
            intervals. Such a report counts as it is; others are averaged. 0 for none of this.
        @raise UnknownName: there is no such host.
        @raise ValueError: C{available} is out of its range.
        """
        given: object = available
        if not isinstance(given, (int, float)) or not 0 <= given <= 1:
            raise ValueError(f"what {name!r} has left is {shown(available)}; it is 0 to 1")
        self._weighing.reported(self.getHost(name), float(available), self.seconds(), good)

    def reportAgent(self, name: str, reply: AgentReply) -> None:
        """
        Report what an agent beside a host asks for. What its reply does not
        mention stays as it was. The configured state and limit hold as well; the
        lower one counts. The health that an agent tells is for L{reportCheck}.

        Source: HAProxy 2.6, configuration manual, C{agent-check}. A weight is
        taken as a share of the configured one; a limit of connections holds beside
        the configured one.

        @raise UnknownName: there is no such host.
        """
        self._tracker.agentSaid(self.getHost(name), reply, self.seconds())

    def watch(self, name: str, rise: int = RISE, fall: int = FALL, damped: bool = True) -> None:
        """
        Let active checks decide about a host from now on. Connections mark it down
        as before, but no client tries it: C{rise} successful checks mark it up. If
        the group's C{initialState} is C{check}, it gets no client before its
        first check has passed. If it is checked already, C{rise} and C{fall}
        change.

        @param rise: successes in a row that mark it up, 1 or more.
        @param fall: failures in a row that mark it down, 1 or more.
        @param damped: whether a host that goes up and down is held down, see the group's
            C{flapHold}.
        @raise UnknownName: there is no such host.
        """
        self._tracker.watch(self.getHost(name), rise, fall, damped, self.seconds())

    def unwatch(self, name: str) -> None:
        """
        Let connections decide about a host again. It counts as up until they say
        otherwise.

        @raise UnknownName: there is no such host.
        """
        self._tracker.unwatch(self.getHost(name), self.seconds())

    def reportReached(self, name: str, address: Address) -> None:
        """
        Report the address at which a check has reached a host, where the next client
        begins. An address that is not the host's is ignored.

        @raise UnknownName: there is no such host.
        """
        self.getHost(name).prefer(address)

    def reportCheck(self, name: str, result: CheckResult) -> None:
        """
        Report the result of a check. The pool counts: C{rise} successes in a row mark
        the host up, C{fall} failures in a row mark it down. If the host waits for
        its first check, that decides at once. The first result begins to L{watch}
        the host. In maintenance nothing is counted.

        @raise UnknownName: there is no such host.
        """
        host = self.getHost(name)
        if not host.enabled:
            return
        if not host.health.watched:
            self.watch(name)
        self._tracker.checked(host, result, self.seconds())

    # Work

    def acquire(self, clientAddr: object = None, excluded: frozenset[Key] = frozenset()) -> Lease:
        """
        Claim the next host, for work that begins now. Use the lease as a context
        manager, or release it.

        @param clientAddr: the client's address; policies with affinity use it.
        @param excluded: keys of hosts that are not chosen.
        @raise NoHostAvailable: no host can take work now.
        """
        lease = self.claim(clientAddr, excluded)
        if lease is None:
            count = len(self._members.configured)
            raise NoHostAvailable(
                f"no host of {self._announcer.where} can take work now ({count} configured)"
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
        Claim the next host, as L{acquire} and L{Dial} do.

        @param now: in seconds of the pool's clock, if the caller knows it.
        @return: L{None} if there is no host to choose.
        """
        if now is None:
            now = self.seconds()
        due = self._choiceTimers.entries
        if due and due[0][0] <= now:
            self._choiceTimers.advance(now)
        rotation = self._rotation
        host = rotation.next(clientAddr, excluded)
        if host is None:
            self._backups.asked = True
            # A host that is only full comes before one that is down.
            if self.settings.whenAllDown == "try" and not rotation.anyFull(excluded):
                host = rotation.nextDown(excluded)
        if host is None:
            return None
        lease = Lease(self, host, clientAddr, now)
        host.active += 1
        if host.passive.isUp or not self._tracker.tried(lease, now):
            rotation.counted(host)
        return lease

    def adopt(self, name: str, count: int = 1) -> list[Lease]:
        """
        Count work that a host has taken by itself, such as connections that a local
        process accepted. Nothing is chosen, and no limit holds.

        @param count: units of work, 0 or more.
        @return: a lease for each; release them.
        @raise UnknownName: there is no such host.
        """
        host = self.getHost(name)
        now = self.seconds()
        leases = [Lease(self, host, None, now) for _ in range(count)]
        if leases:
            host.active += count
            host.counters.connections += count
            self._rotation.counted(host)
        return leases

    def readopt(
        self,
        name: str,
        address: str,
        *,
        began: float | None = None,
        since: float | None = None,
        clientAddr: object = None,
        bytesIn: int = 0,
        bytesOut: int = 0,
        hostFirst: bool = False,
    ) -> Lease:
        """
        Claim a host for work that began in another process, as its connection moves here. It
        counts as no new connection, its bytes as no new bytes, and no limit holds. A host that
        this pool does not have any more is one that is leaving.

        @param name: the name of its host.
        @param address: the address of its host, for a host of which nothing else is known.
        @param began: the C{began} of its host there, which tells hosts of one name apart.
        @param since: the time of its claim there, in seconds of the same clock.
        @return: the lease; release it.
        @raise StateError: something of it can't be right. Then nothing has changed.
        """
        now = self.seconds()
        host = self.kept.claimed(name, began, address, now)
        lease = Lease(self, host, clientAddr, now if since is None else min(since, now))
        lease.bytesIn, lease.bytesOut, lease.hostFirst = bytesIn, bytesOut, hostFirst
        host.active += 1
        if not host.leaving:
            self._rotation.counted(host)
        return lease

    def redial(
        self,
        clientAddr: object,
        limits: DialLimits,
        *,
        began: float,
        tried: Iterable[str] = (),
        connectTime: float | None = None,
    ) -> Dial:
        """
        Have a search that began in another process: one that has reached a host, for the record
        of its connection, or one that goes on here by L{Dial.goOn} or L{waitAgain}.

        @param began: the time of its start, in seconds of the same clock.
        @param tried: the names of the hosts that were tried; they are not tried again.
        @param connectTime: seconds until a host was reached; L{None} if none was.
        """
        keys = tuple((self.service, self.group, name) for name in tried)
        return Dial.of(self, clientAddr, limits, min(began, self.seconds()), keys, connectTime)

    def waitAgain(self, dial: Dial, deadline: float) -> Waiting:
        """
        Let a search that waited in another process wait here, behind those that wait already.
        The one that was first there is called with first. The queue takes any number.

        @param dial: see L{redial}.
        @param deadline: the end of its wait, in seconds of the clock.
        """
        waiting = self._queue.add(dial, deadline)
        dial.waits(waiting)
        self._wake(deadline)
        return waiting

    @property
    def waiting(self) -> list[Waiting]:
        """
        The searches that wait for room, the first one first.
        """
        return list(self._waiting.values())

    def restored(self) -> None:
        """
        Go on after another process: everything was taken over, and all connections that move have
        claimed their hosts.
        """
        now = self.seconds()
        self.kept.settle(now)
        self._rotation.settle(everything=True)
        self._settle(now)

    def letGo(self, lease: Lease) -> None:
        """
        Take back the claim of a lease whose connection another process has. Nothing is
        learned from it about the host, and no client that waits is served.
        """
        host = lease.host
        lease.outcome = Outcome.STOPPED
        if host.trial is lease:
            self._tracker.decided(lease, self.seconds())
        host.active -= 1
        if not host.going:
            self._rotation.counted(host)
        elif not host.active:
            self._members.ended(host, self.seconds())

    def released(self, lease: Lease) -> None:
        """
        Take back the claim of a lease; L{Lease.release} calls this.
        """
        host, outcome = lease.host, lease.outcome
        now = self.seconds()
        if host.trial is lease:
            self._tracker.decided(lease, now)
        if self._expectsAnswer:
            self._tracker.ended(lease, now)
        if outcome is _DONE:
            self._durations.observe(now - lease.since)
        elif outcome is not None:
            self.counters.ended(outcome, now - lease.since)
        host.active -= 1
        if not host.going:
            self._rotation.counted(host)
        elif not host.active:
            self._members.ended(host, now)
        if self._waiting:
            self._queue.serve()

    def pendingChanged(self, host: Host) -> None:
        """
        Review the circuit of a host to which many connections are being opened, or
        were; L{Dial} calls this.
        """
        self._circuit.review(host, self.seconds())
        if self._waiting:
            self._queue.serve()

    def mayWait(self, excluded: frozenset[Key]) -> bool:
        """
        Return whether a client that waits can get a host at all.
        """
        return self._rotation.anyWaitable(excluded)

    def wait(self, dial: Dial, excluded: frozenset[Key], latest: float) -> Waiting | GaveUpReason:
        """
        Let a search wait, as there is no host for it now.

        @param excluded: keys of hosts that are not chosen.
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
        waiting = self._queue.add(dial, deadline)
        counters = self.counters
        counters.queued += 1
        counters.mostQueued = max(counters.mostQueued, len(self._waiting))
        self._wake(deadline)
        return waiting

    # Time

    def nextDeadline(self) -> float | None:
        """
        Return when L{advance} has something to do next; L{None} for not before
        something else happens.
        """
        times = (
            self._choiceTimers.nextDeadline(),
            self._rotation.nextTurn(),
            self._timers.nextDeadline(),
        )
        return min((each for each in times if each is not None), default=None)

    def advance(self, now: float) -> None:
        """
        Do what is due by C{now}: hosts may be tried again, weigh more, or weigh as
        configured if their load is unknown by now; a policy may build its tables;
        waits in the queue end; connections of hosts that drained for long enough
        are reset; backup hosts are left.
        """
        self._choiceTimers.advance(now)
        self._rotation.advance(now)
        self._timers.advance(now)

    # Views

    def explain(
        self, clientAddr: object = None, excluded: frozenset[Key] = frozenset()
    ) -> Explanation:
        """
        Return which host a client would get now, and for each of the others why it
        would not. It changes nothing.

        @param clientAddr: the client's address in any way of writing; policies with
            affinity use it.
        @param excluded: keys of hosts that are not chosen.
        """
        hosts = [*self.hosts, *self.leaving]
        explainer = Explainer(self.scheduler, self._rotation.held, excluded)
        return explainer.explain(self.service, self.group, hosts, clientAddr)

    def hostSnapshots(self) -> Iterator[HostSnapshot]:
        """
        Yield each host as it is when it is asked for: those that are configured,
        then those that are leaving.
        """
        for host in (*self.hosts, *self.leaving):
            yield self._snapshotOf(host)

    def hostSnapshot(self, name: str) -> HostSnapshot:
        """
        Return a host as it is now.

        @raise UnknownName: no host that is configured has this name.
        """
        return self._snapshotOf(self.getHost(name))

    def drainedIn(self, host: Host) -> float | None:
        """
        Return the seconds until the remaining connections of a host are reset, if it drains or
        leaves; L{None} for never.
        """
        at = self._drains.deadlineOf(host)
        return None if at is None else max(at - self.seconds(), 0.0)

    def _snapshotOf(self, host: Host) -> HostSnapshot:
        return hostSnapshot(host, self.seconds(), self._drains.deadlineOf(host))

    def snapshot(self, enabled: bool = True, hosts: bool = True) -> GroupSnapshot:
        """
        Return the group as it is now.

        @param enabled: whether the group gets its service's connections.
        @param hosts: whether to include its hosts; with thousands of them that takes
            its time.
        """
        return GroupSnapshot(
            self.group,
            self.scheduler.name,
            enabled,
            self.readyCount,
            tuple(self.hostSnapshots()) if hosts else (),
            up=self._rotation.upCount,
            backup=self.settings.backup,
            backupUsed=self._backups.used,
            allDown=self._backups.fate,
            waiting=len(self._waiting),
            maxQueue=self.settings.maxQueue,
            replaced=self._policies.replaced,
        )

    # Between the parts

    def _getSettings(self) -> ProxyGroup:
        return self.settings

    def _weighed(self, host: Host) -> None:
        """
        Bring a host in line whose weight changed, or that has something left again.
        """
        self._rotation.refresh(host)
        if self._waiting:
            self._queue.serve()

    def _settle(self, now: float) -> None:
        """
        See to the backup hosts and to the clients that wait, as hosts or settings
        changed.
        """
        self._backups.review(now)
        if self._waiting:
            self._queue.serve()

    def _mayHelp(self) -> bool:
        return bool(self.readyCount) or not self._rotation.anyWaitable(frozenset())

    def _wake(self, when: float) -> None:
        if self.wakeBy is not None:
            self.wakeBy(when)
