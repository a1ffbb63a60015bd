"""
What holds whatever checks, traffic and people do.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from tests import fewer
from tests.pool.kit import BUSY, LOCAL, PORTS, REFUSED, TIMEOUT
from txlb.model import ProxyHost
from txlb.pool import (
    Attempt,
    CheckResult,
    DialLimits,
    Event,
    EventKind,
    Failure,
    GaveUp,
    HealthState,
    Host,
    HostPool,
    Lease,
    Outcome,
    PassiveState,
    Step,
    Waiting,
)
from txlb.pool._damper import mostFalls
from txlb.pool._health import TRANSITIONS

NAMES = "abcs"
names = st.sampled_from(NAMES)
PASSED = CheckResult(True, "connected", 0.001)
FAILED = CheckResult(False, "connection refused", 0.001)

#: From which state of health to which other one result of a check may lead.
BY_CHECK = {(state, to) for (state, _), to in TRANSITIONS.items()}


class AnyCommand(RuleBasedStateMachine):
    """
    A group of small hosts, a backup among them, with a queue.
    """

    whenAllDown = "try"
    initialState = "up"

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.events: list[Event] = []
        self.leases: list[Lease] = []
        self.attempts: list[Attempt] = []
        self.waiting: dict[int, Waiting] = {}
        self.called: set[int] = set()
        self.dials = 0
        self.pool = HostPool(
            "leastc",
            [ProxyHost(name, "127.0.0.1", 1, 1, 2, backup=name == "s") for name in NAMES],
            whenAllDown=self.whenAllDown,
            initialState=self.initialState,
            maxQueue=3,
            queueTimeout=4.0,
            maxPending=2,
            expectAnswer=True,
            answerFall=2,
            holdDown=3.0,
            whenDown="close",
            seconds=lambda: self.now,
            random=Random(3),
            publish=self.events.append,
        )
        self.pool.cut = self.cut

    def cut(self, host: Host, outcome: Outcome) -> None:
        """
        What a relay does: end what is open at a host, soon.
        """
        self.doomed = [lease for lease in self.leases if lease.host is host]

    doomed: list[Lease] = []  # noqa: RUF012 - each machine makes its own

    def mayTake(self, host: Host) -> bool:
        """
        Whether a host may be given to anybody, however ill it is.
        """
        return (
            not host.leaving
            and host.state == "ready"
            and host.weight > 0
            and bool(host.addresses)
            and not host.standby
            and host.health.state is not HealthState.STARTING
        )

    def ready(self) -> set[str]:
        """
        The hosts that may be chosen, by their facts.
        """
        return {
            host.name
            for host in self.pool.hosts
            if self.mayTake(host)
            and host.passive.state in {PassiveState.UP, PassiveState.DUE}
            and host.health.state in {HealthState.UP, HealthState.GOING_DOWN}
            and (host.maxConnections is None or host.active < host.maxConnections)
            and not host.tripped
        }

    def came(self, step: Step, number: int) -> None:
        """
        A search came to something.
        """
        if isinstance(step, Attempt):
            host = step.host
            assert self.mayTake(host), host
            assert host.maxConnections is None or host.active <= host.maxConnections
            if self.whenAllDown == "close":
                assert host.health.isHealthy
                assert host.passive.state in {PassiveState.UP, PassiveState.TRIAL}
            self.attempts.append(step)
        elif isinstance(step, Waiting):
            self.waiting[number] = step
            step.whenWoken(lambda following: self.woken(following, number))
            assert len(self.waiting) <= 3

    def woken(self, step: Attempt | GaveUp, number: int) -> None:
        """
        A wait is over: exactly once, and of nobody who had left.
        """
        del self.waiting[number]
        self.came(step, number)

    # What may happen

    @rule(limit=st.sampled_from([3.0, 100.0]))
    def dial(self, limit: float) -> None:
        self.dials += 1
        limits = DialLimits(dialTimeout=limit, retries=5)
        self.came(self.pool.dial(("192.0.2.1", 1), limits).start(), self.dials)

    @precondition(lambda self: self.attempts)
    @rule(data=st.data())
    def connected(self, data: st.DataObject) -> None:
        attempt = self.attempts.pop(data.draw(st.integers(0, len(self.attempts) - 1)))
        self.leases.append(attempt.connected())

    @precondition(lambda self: self.attempts)
    @rule(data=st.data(), failure=st.sampled_from([REFUSED, TIMEOUT, BUSY, PORTS, LOCAL]))
    def failed(self, data: st.DataObject, failure: Failure) -> None:
        attempt = self.attempts.pop(data.draw(st.integers(0, len(self.attempts) - 1)))
        self.dials += 1
        self.came(attempt.failed(failure), self.dials)

    @precondition(lambda self: self.attempts)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.attempts.pop(data.draw(st.integers(0, len(self.attempts) - 1))).cancel()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.waiting)))
        self.waiting.pop(number).dial.cancel()

    @precondition(lambda self: self.leases)
    @rule(
        data=st.data(),
        outcome=st.sampled_from(list(Outcome)),
        count=st.sampled_from([0, 1]),
        hostFirst=st.booleans(),
    )
    def release(self, data: st.DataObject, outcome: Outcome, count: int, hostFirst: bool) -> None:
        lease = self.leases.pop(data.draw(st.integers(0, len(self.leases) - 1)))
        lease.add(1, count)
        lease.hostFirst = hostFirst
        lease.release(outcome)

    @rule(name=names, passed=st.booleans(), times=st.integers(1, 4))
    def check(self, name: str, passed: bool, times: int) -> None:
        for _ in range(times):
            if all(host.name != name for host in self.pool.hosts):
                return
            health = self.pool.getHost(name).health
            # Of one that nobody has watched the first result is two steps.
            self.pool.watch(name, health.rise, health.fall)
            before = health.state
            self.pool.reportCheck(name, PASSED if passed else FAILED)
            assert health.state is before or (before, health.state) in BY_CHECK

    @rule(name=names, watched=st.booleans(), rise=st.integers(1, 3))
    def watch(self, name: str, watched: bool, rise: int) -> None:
        if any(host.name == name for host in self.pool.hosts):
            if watched:
                self.pool.watch(name, rise, 2)
            else:
                self.pool.unwatch(name)

    @rule(
        name=names,
        state=st.sampled_from(["ready", "ready", "drain", "maintenance"]),
        deadline=st.sampled_from([None, 0.0, 2.0]),
    )
    def setState(self, name: str, state: str, deadline: float | None) -> None:
        if any(host.name == name for host in self.pool.hosts):
            self.pool.setState(name, state, deadline)

    @rule(name=names, force=st.booleans())
    def remove(self, name: str, force: bool) -> None:
        if any(host.name == name for host in self.pool.hosts):
            self.pool.removeHost(name, force=force)

    @rule(name=names, most=st.sampled_from([None, 1, 2]), backup=st.booleans())
    def addOrChange(self, name: str, most: int | None, backup: bool) -> None:
        if all(host.name != name for host in self.pool.hosts):
            self.pool.addHost(ProxyHost(name, "127.0.0.1", 1, 1, most, backup=backup))
            return
        configured = self.pool.getHost(name).configured
        # A lower limit than there are connections would hold only for new ones.
        if most is None or self.pool.getHost(name).active <= most:
            self.pool.changeHost(replace(configured, maxConnections=most, backup=backup))

    @rule(changed=st.sampled_from([{"minimumUp": 1}, {"minimumUp": 2}, {"maxPending": 1},
                                   {"maxPending": 0}, {"flapHold": 0.0}]))  # fmt: skip
    def setSettings(self, changed: dict[str, Any]) -> None:
        self.pool.setSettings(replace(self.pool.settings, **changed))

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 61.0]))
    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.pool.advance(self.now)
        for lease in self.doomed:
            if lease in self.leases:
                self.leases.remove(lease)
                lease.release(Outcome.HOST_DOWN)
        self.doomed = []

    # What holds all the time

    @invariant()
    def schedulerHoldsTheReady(self) -> None:
        held = {key[2] for key in self.pool.scheduler.explain(None)}
        assert held == self.ready(), (held, self.ready())

    @invariant()
    def countsAreLeases(self) -> None:
        held = [*self.leases, *(attempt.lease for attempt in self.attempts)]
        assert self.pool.active == len(held)
        for host in (*self.pool.hosts, *self.pool.leaving):
            assert host.active == sum(lease.host is host for lease in held)
            assert host.pending == sum(attempt.host is host for attempt in self.attempts)

    @invariant()
    def nobodyWaitsInVain(self) -> None:
        """
        Those who wait are those who said so; none of them could be at a ready
        host, and each has an end to its wait.
        """
        assert len(self.waiting) == self.pool.snapshot().waiting
        for waiting in self.waiting.values():
            tried = {key[2] for key in waiting.dial._tried}
            assert self.ready() <= tried, (self.ready(), tried)
            deadline = self.pool.nextDeadline()
            assert deadline is not None and deadline <= waiting.deadline

    @invariant()
    def backupStandsBy(self) -> None:
        """
        Backup hosts are used where too few others are up.
        """
        up = sum(
            host.isIn and host.state == "ready" and not host.backup for host in self.pool.hosts
        )
        backups = [host for host in self.pool.hosts if host.backup]
        if up < self.pool.settings.minimumUp:
            assert not any(host.standby for host in backups)

    @invariant()
    def oneTrial(self) -> None:
        held = [*self.leases, *(attempt.lease for attempt in self.attempts)]
        for host in (*self.pool.hosts, *self.pool.leaving):
            trials = sum(lease.trial and lease.host is host for lease in held)
            assert trials == (host.passive.state is PassiveState.TRIAL)
            if host.health.watched:
                assert host.passive.isUp

    def teardown(self) -> None:
        """
        When all have finished nothing is left, and nobody was called too often.
        """
        for waiting in [*self.waiting.values()]:
            waiting.dial.cancel()
        self.waiting.clear()
        for attempt in self.attempts:
            attempt.cancel()
        for lease in self.leases:
            lease.release()
        assert self.pool.active == 0
        assert self.pool.leaving == []
        assert self.pool.snapshot().waiting == 0
        for name in NAMES:
            falls = sum(
                event.kind is EventKind.HOST_DOWN and event.key[2] == name for event in self.events
            )
            # What people do, and a new host of the name, begins anew.
            fresh = 1 + sum(
                event.kind in {EventKind.HOST_ADDED, EventKind.HOST_STATE} and event.key[2] == name
                for event in self.events
            )
            if self.pool.settings.flapHold:
                assert falls <= fresh * mostFalls(60.0, max(self.now, 1.0))


class AnyCommandClosing(AnyCommand):
    """
    The same, where nobody is sent to what is down, and hosts are checked first.
    """

    whenAllDown = "close"
    initialState = "check"


class AnyCommandTests(SynchronousTestCase):
    """
    Many lives of a group.
    """

    lives = settings(fewer(0.8), stateful_step_count=50)

    def test_try(self) -> None:
        run_state_machine_as_test(AnyCommand, settings=self.lives)

    def test_close(self) -> None:
        run_state_machine_as_test(AnyCommandClosing, settings=self.lives)
