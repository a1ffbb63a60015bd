"""
Tests for L{txlb.schedulers._weightr}.
"""

from __future__ import annotations

from collections import Counter
from random import Random as RandomSource

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from tests.schedulers.histories import Group, Step, histories
from txlb.schedulers import WeightedRandom
from txlb.testing import FakeHost
from txlb.testing._measure import chiSquare, chiSquareLimit


class Weighted(Group):
    word = "weightr"


class WeightedRandomTests(SynchronousTestCase):
    @given(histories)
    def test_anyHistory(self, history: list[Step]) -> None:
        """
        A held host that is not excluded is chosen wherever there is one, and
        the table holds the weights of just the held hosts.
        """
        group = Weighted()
        group.follow(history)
        scheduler = group.scheduler
        assert isinstance(scheduler, WeightedRandom)
        self.assertEqual(set(map(id, scheduler._order)), set(map(id, group.held.values())))
        total = sum(host.effectiveWeight for host in group.held.values())
        self.assertEqual(scheduler._table.total, total)
        self.assertEqual(
            [scheduler._table.weight(place) for place in range(len(scheduler._table))],
            [host.effectiveWeight for host in scheduler._order],
        )

    def counts(self, hosts: list[FakeHost], excluded: list[FakeHost]) -> list[int]:
        scheduler = WeightedRandom(RandomSource(5))
        for host in hosts:
            scheduler.hostAdded(host)
        keys = frozenset(host.key for host in excluded)
        had: Counter[object] = Counter()
        for _ in range(6_000):
            pick = scheduler.nextHost(None, keys)
            assert pick is not None
            had[pick.key] += 1
        return [had[host.key] for host in hosts]

    def test_byWeight(self) -> None:
        weights = [1, 3, 10, 2, 4]
        hosts = [FakeHost(f"h{place}", weight) for place, weight in enumerate(weights)]
        self.assertLess(chiSquare(self.counts(hosts, []), weights), chiSquareLimit(4))

    def test_byWeightOfTheRest(self) -> None:
        """
        Those that are left share by weight, where the heaviest is excluded.
        """
        weights = [65535, 1, 3, 4]
        hosts = [FakeHost(f"h{place}", weight) for place, weight in enumerate(weights)]
        counts = self.counts(hosts, hosts[:1])
        self.assertEqual(counts[0], 0)
        self.assertLess(chiSquare(counts[1:], weights[1:]), chiSquareLimit(2))

    def test_changedWeight(self) -> None:
        """
        A change of weight counts from the next choice on.
        """
        scheduler = WeightedRandom(RandomSource(5))
        a, b = FakeHost("a", 1), FakeHost("b", 65535)
        for host in (a, b):
            scheduler.hostAdded(host)
        a.effectiveWeight, b.effectiveWeight = 3.0, 1.0
        for host in (a, b):
            scheduler.hostChanged(host)
        counts = Counter(scheduler.nextHost(None) for _ in range(6_000))
        self.assertLess(chiSquare([counts[a], counts[b]], [3, 1]), chiSquareLimit(1))
        self.assertEqual(scheduler.explain(None), {a.key: 0.75, b.key: 0.25})

    def test_farEdge(self) -> None:
        """
        A number that rounding puts on the far edge still finds a host.
        """

        class Edge(RandomSource):
            def random(self) -> float:
                return 1.0

        scheduler = WeightedRandom(Edge())
        hosts = [FakeHost(name, weight) for weight, name in enumerate("abc", 1)]
        for host in hosts:
            scheduler.hostAdded(host)
        self.assertIs(scheduler.nextHost(None), hosts[2])
