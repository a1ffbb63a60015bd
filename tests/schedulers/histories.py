"""
Histories of a group, made up by Hypothesis, and what follows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from hypothesis import strategies as st

from txlb.interfaces import IScheduler
from txlb.schedulers import Key, schedulerFactory
from txlb.testing import FakeHost

#: So few names that hosts come back, and are excluded while they are there.
NAMES = "abcdef"


@dataclass(frozen=True)
class Step:
    """
    One thing that happens.

    @ivar what: C{add}, C{remove}, C{weight}, C{acquire} or C{release}.
    @ivar name: to whom; where that makes no sense, nothing happens.
    @ivar weight: for those that have one.
    @ivar excluded: the names that must not be chosen, for C{acquire}.
    @ivar times: how often, for C{acquire}.
    """

    what: str
    name: str = "a"
    weight: int = 1
    excluded: frozenset[str] = frozenset()
    times: int = 1


names = st.sampled_from(NAMES)
weights = st.one_of(st.integers(1, 4), st.integers(1, 20), st.integers(1, 65535))
steps = st.one_of(
    st.builds(Step, st.just("add"), names, weights),
    st.builds(Step, st.just("remove"), names),
    st.builds(Step, st.just("weight"), names, weights),
    st.builds(
        Step, st.just("acquire"), excluded=st.frozensets(names, max_size=4), times=st.integers(1, 9)
    ),
    st.builds(Step, st.just("acquire"), times=st.integers(1, 30)),
    st.builds(Step, st.just("release"), names),
)
# Three hosts to begin with, or much of a history would be about nobody.
beginnings = st.tuples(*(st.builds(Step, st.just("add"), st.just(name), weights) for name in "abc"))
histories = st.builds(lambda first, then: [*first, *then], beginnings, st.lists(steps, max_size=60))


class Group:
    """
    A scheduler and its hosts, as a pool would keep them. Tests derive from it a
    simple model of the policy, and compare.
    """

    word = ""

    def __init__(self) -> None:
        self.scheduler: IScheduler = schedulerFactory(self.word, random=Random(1))
        self.held: dict[str, FakeHost] = {}

    def follow(self, history: list[Step]) -> None:
        """
        Let it all happen.
        """
        for step in history:
            host = self.held.get(step.name)
            if step.what == "acquire":
                for _ in range(step.times):
                    self.acquire(step.excluded)
            elif step.what == "add" and host is None:
                self.add(step.name, step.weight)
            elif host is None:
                continue
            elif step.what == "remove":
                del self.held[step.name]
                self.scheduler.hostRemoved(host)
                self.removed(host)
            elif step.what == "weight":
                host.weight, host.effectiveWeight = step.weight, float(step.weight)
                self.scheduler.hostChanged(host)
                self.weightChanged(host)
            elif step.what == "release" and host.active:
                host.active -= 1
                self.scheduler.hostChanged(host)
                self.used(host)

    def add(self, name: str, weight: int = 1) -> FakeHost:
        """
        Hold a new host.
        """
        host = self.held[name] = FakeHost(name, weight)
        self.scheduler.hostAdded(host)
        self.added(host)
        return host

    def acquire(self, excluded: frozenset[str] = frozenset()) -> FakeHost | None:
        """
        Choose a host, have that looked at, and use it.
        """
        keys: frozenset[Key] = frozenset(("service", "group", name) for name in excluded)
        pick = self.scheduler.nextHost(("192.0.2.1", 1), keys)
        candidates = [host for name, host in self.held.items() if name not in excluded]
        if not candidates:
            assert pick is None, f"{pick!r} was chosen, of none"
            self.picked(None, candidates)
            return None
        chosen = next((host for host in candidates if id(host) == id(pick)), None)
        assert chosen is not None, f"{pick!r} is none of {candidates}"
        self.picked(chosen, candidates)
        chosen.active += 1
        self.scheduler.hostChanged(chosen)
        self.used(chosen)
        return chosen

    # What a model may want to know

    def added(self, host: FakeHost) -> None:
        """
        A host came.
        """

    def removed(self, host: FakeHost) -> None:
        """
        A host left.
        """

    def weightChanged(self, host: FakeHost) -> None:
        """
        A host has another weight.
        """

    def used(self, host: FakeHost) -> None:
        """
        A connection of a host began or ended.
        """

    def picked(self, pick: FakeHost | None, candidates: list[FakeHost]) -> None:
        """
        A host was chosen, which is not used yet. The candidates are the held
        hosts that were not excluded.
        """
