"""
Tests for L{txlb.schedulers._weightlc}.
"""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.schedulers.histories import Group, Step, histories
from txlb.schedulers import WeightedLeastConnections
from txlb.testing import FakeHost


class NaiveWeightedLeast(Group):
    """
    Looks at everybody: fewest connections for the weight, then the earliest
    deadline.
    """

    word = "weightlc"

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.deadlines: dict[str, float] = {}

    def added(self, host: FakeHost) -> None:
        self.deadlines[host.name] = self.now + 1 / host.effectiveWeight

    def weightChanged(self, host: FakeHost) -> None:
        soonest = self.now + 1 / host.effectiveWeight
        self.deadlines[host.name] = min(self.deadlines[host.name], soonest)

    def picked(self, pick: FakeHost | None, candidates: list[FakeHost]) -> None:
        if pick is None:
            return

        def rank(host: FakeHost) -> tuple[float, float]:
            return host.active / host.effectiveWeight, self.deadlines[host.name]

        assert rank(pick) == min(map(rank, candidates)), f"{pick!r} of {self.deadlines}"
        self.now = max(self.now, self.deadlines[pick.name])
        self.deadlines[pick.name] = self.now + 1 / pick.effectiveWeight


class WeightedLeastTests(SynchronousTestCase):
    @given(histories)
    def test_asNaive(self, history: list[Step]) -> None:
        """
        In any history each choice is as good as the naive one.
        """
        NaiveWeightedLeast().follow(history)

    @given(st.lists(st.integers(1, 20), min_size=1, max_size=6))
    def test_idleInProportion(self, weights: list[int]) -> None:
        """
        Hosts that are idle whenever one is chosen take turns by weight: after as
        many as the weights' sum each has had its own number, within one.
        """
        group = NaiveWeightedLeast()
        for place, weight in enumerate(weights):
            group.add("abcdef"[place], weight)
        had: Counter[str] = Counter()
        for _ in range(sum(weights)):
            host = group.acquire()
            assert host is not None
            had[host.name] += 1
            group.follow([Step("release", host.name)])
        for place, weight in enumerate(weights):
            self.assertLessEqual(abs(had["abcdef"[place]] - weight), 1)

    @given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.integers(1, 200))
    def test_busyInProportion(self, weights: list[int], connections: int) -> None:
        """
        Connections that stay spread so that nobody has more than one too many.
        """
        group = NaiveWeightedLeast()
        for place, weight in enumerate(weights):
            group.add("abcdef"[place], weight)
        for _ in range(connections):
            group.acquire()
        for host in group.held.values():
            share = connections * host.effectiveWeight / sum(weights)
            self.assertLess(host.active, share + 1 + 1e-9)

    def test_raisedWeight(self) -> None:
        """
        An idle host whose weight is raised doesn't wait for the turn that its
        old weight gave it.
        """
        group = NaiveWeightedLeast()
        group.add("a", 1000)
        group.add("b", 1)
        group.follow([Step("weight", "b", 1000)])
        had: Counter[str] = Counter()
        for _ in range(20):
            host = group.acquire()
            assert host is not None
            had[host.name] += 1
            group.follow([Step("release", host.name)])
        self.assertEqual(had, {"a": 10, "b": 10})

    def test_bounded(self) -> None:
        """
        Old entries are dropped when they are the greater part.
        """
        scheduler = WeightedLeastConnections(Random(1))
        hosts = [FakeHost(f"h{number}", 1) for number in range(4)]
        for host in hosts:
            scheduler.hostAdded(host)
        most = 0
        for number in range(2_000):
            host = hosts[number % 4]
            host.active = number % 5
            scheduler.hostChanged(host)
            most = max(most, len(scheduler._heap))
        self.assertLessEqual(most, 4 * 4 + 16)
        for host in hosts:
            scheduler.hostRemoved(host)
        self.assertLessEqual(len(scheduler._heap), 16)
        self.assertIsNone(scheduler.nextHost(None))

    def test_explain(self) -> None:
        """
        Fewer connections for the weight score higher.
        """
        group = NaiveWeightedLeast()
        a, b = group.add("a", 4), group.add("b", 1)
        for _ in range(5):
            group.acquire()
        self.assertEqual(group.scheduler.explain(None), {a.key: -1.0, b.key: -1.0})
        a.active = 2
        group.scheduler.hostChanged(a)
        self.assertEqual(group.scheduler.explain(None), {a.key: -0.5, b.key: -1.0})
