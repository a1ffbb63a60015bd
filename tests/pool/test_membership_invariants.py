"""
What holds of a pool whatever happens to it.
"""

from __future__ import annotations

from random import Random

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
from tests.pool.kit import BUSY, LOCAL, PATIENT, PORTS, REFUSED, TIMEOUT
from txlb.model import ProxyHost, TCPAddress
from txlb.pool import Attempt, Event, EventKind, Failure, HostPool, Lease, Outcome, PassiveState
from txlb.schedulers import schedulerWords

names = st.sampled_from("abcd")
failures = st.sampled_from([REFUSED, TIMEOUT, BUSY, PORTS, LOCAL])
outcomes = st.sampled_from(list(Outcome))


class AnyLife(RuleBasedStateMachine):
    """
    Hosts come, go and change, clients look for them, time goes by.
    """

    whenAllDown = "try"

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.events: list[Event] = []
        self.leases: list[Lease] = []
        self.attempts: list[Attempt] = []
        self.pool = HostPool(
            "leastc",
            [ProxyHost("a", "127.0.0.1", 1), ProxyHost("b", "127.0.0.1", 2, 3)],
            whenAllDown=self.whenAllDown,
            passiveFall=2,
            slowStart=7.0,
            seconds=lambda: self.now,
            random=Random(3),
            publish=self.events.append,
        )

    def ready(self) -> set[str]:
        """
        The hosts that may be chosen, by their facts.
        """
        return {
            host.name
            for host in self.pool.hosts
            if host.passive.state in {PassiveState.UP, PassiveState.DUE}
            and (host.load is None or host.load.latest > 0)
            and host.weight > 0
            and host.addresses
            and (host.maxConnections is None or host.active < host.maxConnections)
        }

    def due(self) -> None:
        """
        Have what is due happen, as the pool does before it chooses.
        """
        self.pool.advance(self.now)

    def checkChoice(self, chosen: str | None, ready: set[str], excluded: set[str]) -> None:
        """
        A choice was one of the ready hosts, wherever there was one; with none,
        one that is marked, if it may be tried.
        """
        if ready - excluded:
            assert chosen in ready - excluded, (chosen, ready, excluded)
        elif chosen is not None:
            assert self.whenAllDown == "try"
            host = self.pool.getHost(chosen)
            assert chosen not in excluded
            assert host.passive.state in {PassiveState.DOWN, PassiveState.TRIAL} or not host.hasLeft
            assert host.weight > 0

    def next(self, attempt: object, ready: set[str], excluded: set[str]) -> None:
        """
        A search came to an attempt or to its end.
        """
        if isinstance(attempt, Attempt):
            self.checkChoice(attempt.host.name, ready, excluded)
            self.attempts.append(attempt)

    # What may happen

    @rule(name=names, weight=st.integers(0, 5), most=st.sampled_from([None, 1, 2]))
    def add(self, name: str, weight: int, most: int | None) -> None:
        if all(host.name != name for host in self.pool.hosts):
            self.pool.addHost(ProxyHost(name, "127.0.0.1", 1, weight, most))

    @rule(name=names)
    def addUnresolved(self, name: str) -> None:
        if all(host.name != name for host in self.pool.hosts):
            self.pool.addHost(ProxyHost(name, "web.example", 1))

    @rule(name=names, last=st.integers(1, 3))
    def resolve(self, name: str, last: int) -> None:
        if any(host.name == name for host in self.pool.hosts):
            self.pool.setAddresses(name, [TCPAddress(f"192.0.2.{last}", 1)])

    @rule(name=names)
    def remove(self, name: str) -> None:
        if any(host.name == name for host in self.pool.hosts):
            self.pool.removeHost(name)

    @rule(name=names, weight=st.integers(0, 5))
    def setWeight(self, name: str, weight: int) -> None:
        if any(host.name == name for host in self.pool.hosts):
            self.pool.setWeight(name, weight)

    @rule(name=names, available=st.sampled_from([0.0, 0.001, 0.5, 1.0]))
    def reportLoad(self, name: str, available: float) -> None:
        if any(host.name == name for host in self.pool.hosts):
            self.pool.reportLoad(name, available)

    @rule(word=st.sampled_from(schedulerWords()[:6]))
    def setScheduler(self, word: str) -> None:
        self.pool.setScheduler(word)

    @rule(excluded=st.frozensets(names, max_size=2))
    def acquire(self, excluded: frozenset[str]) -> None:
        self.due()
        ready = self.ready()
        lease = self.pool.claim(None, frozenset(("", "", name) for name in excluded))
        self.checkChoice(None if lease is None else lease.host.name, ready, set(excluded))
        if lease is not None:
            self.leases.append(lease)

    @rule()
    def dial(self) -> None:
        self.due()
        ready = self.ready()
        self.next(self.pool.dial(("192.0.2.1", 1), PATIENT).start(), ready, set())

    @precondition(lambda self: self.attempts)
    @rule(data=st.data())
    def connected(self, data: st.DataObject) -> None:
        attempt = self.attempts.pop(data.draw(st.integers(0, len(self.attempts) - 1)))
        self.leases.append(attempt.connected())
        assert attempt.host.passive.state is PassiveState.UP

    @precondition(lambda self: self.attempts)
    @rule(data=st.data(), failure=failures)
    def failed(self, data: st.DataObject, failure: Failure) -> None:
        attempt = self.attempts.pop(data.draw(st.integers(0, len(self.attempts) - 1)))
        following = attempt.failed(failure)
        if isinstance(following, Attempt):
            assert following.host.name != attempt.host.name
            self.attempts.append(following)

    @precondition(lambda self: self.attempts)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.attempts.pop(data.draw(st.integers(0, len(self.attempts) - 1))).cancel()

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), outcome=outcomes)
    def release(self, data: st.DataObject, outcome: Outcome) -> None:
        self.leases.pop(data.draw(st.integers(0, len(self.leases) - 1))).release(outcome)

    @rule(seconds=st.sampled_from([0.1, 1.0, 5.0, 61.0]))
    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.pool.advance(self.now)

    # What holds all the time

    @invariant()
    def schedulerHoldsTheReady(self) -> None:
        held = {key[2] for key in self.pool.scheduler.explain(None)}
        assert held == self.ready(), (held, self.ready())
        assert self.pool.readyCount == len(held)

    @invariant()
    def countsAreLeases(self) -> None:
        held = [*self.leases, *(attempt.lease for attempt in self.attempts)]
        assert self.pool.active == len(held)
        for host in (*self.pool.hosts, *self.pool.leaving):
            assert host.active == sum(lease.host is host for lease in held)
            if host.maxConnections is not None:
                assert host.active <= host.maxConnections

    @invariant()
    def oneTrial(self) -> None:
        held = [*self.leases, *(attempt.lease for attempt in self.attempts)]
        for host in (*self.pool.hosts, *self.pool.leaving):
            trials = sum(lease.trial and lease.host is host for lease in held)
            assert trials == (host.passive.state is PassiveState.TRIAL)

    @invariant()
    def downIsNotForEver(self) -> None:
        """
        A host that is down has a time at which it is due, within a minute.
        """
        down = [h.passive.retryAt for h in self.pool.hosts if h.passive.state is PassiveState.DOWN]
        deadline = self.pool.nextDeadline()
        if down:
            assert deadline is not None
            assert deadline <= min(down) <= self.now + 60

    @invariant()
    def weightsAreShares(self) -> None:
        """
        What may be chosen weighs something, and at most as it is configured.
        """
        for host in self.pool.hosts:
            if host.weight > 0:
                assert 0 < host.effectiveWeight <= host.weight
            if host.slowSince is None and host.load is None and host.weight > 0:
                assert host.effectiveWeight == host.weight

    @invariant()
    def loadsAreFresh(self) -> None:
        """
        What is known of a load was heard within three intervals, or is
        forgotten with what is due next.
        """
        for host in self.pool.hosts:
            if host.load is not None:
                deadline = self.pool.nextDeadline()
                assert deadline is not None
                assert self.now < host.load.at + 6 or deadline <= self.now

    @invariant()
    def dueInTime(self) -> None:
        """
        None is due before its time.
        """
        for host in self.pool.hosts:
            if host.passive.state in {PassiveState.DUE, PassiveState.TRIAL}:
                assert self.now >= host.passive.retryAt

    @invariant()
    def leaversHaveConnections(self) -> None:
        assert all(host.active for host in self.pool.leaving)
        gone = sum(event.kind is EventKind.HOST_GONE for event in self.events)
        removed = sum(event.kind is EventKind.HOST_REMOVED for event in self.events)
        assert removed - gone == len(self.pool.leaving)

    def teardown(self) -> None:
        """
        When all have finished nothing is left.
        """
        for attempt in self.attempts:
            attempt.cancel()
        for lease in self.leases:
            lease.release()
        assert self.pool.active == 0
        assert self.pool.leaving == []
        assert all(host.active == 0 for host in self.pool.hosts)
        assert all(host.trial is None for host in self.pool.hosts)


class AnyLifeClosing(AnyLife):
    """
    The same, where clients of hosts that are all down are closed.
    """

    whenAllDown = "close"


class AnyLifeTests(SynchronousTestCase):
    """
    Many lives of a pool.
    """

    lives = settings(fewer(0.8), stateful_step_count=50)

    def test_try(self) -> None:
        run_state_machine_as_test(AnyLife, settings=self.lives)

    def test_close(self) -> None:
        run_state_machine_as_test(AnyLifeClosing, settings=self.lives)
