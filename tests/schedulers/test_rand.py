"""
Tests for L{txlb.schedulers._rand}.
"""

from __future__ import annotations

from collections import Counter
from random import Random as RandomSource

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from tests.schedulers.histories import Group, Step, histories
from txlb.schedulers import Random
from txlb.testing import FakeHost
from txlb.testing._measure import chiSquare, chiSquareLimit


class AnyHost(Group):
    word = "rand"


class RandTests(SynchronousTestCase):
    @given(histories)
    def test_anyHistory(self, history: list[Step]) -> None:
        """
        A held host that is not excluded is chosen wherever there is one, and
        each has a place of its own to be drawn by.
        """
        group = AnyHost()
        group.follow(history)
        scheduler = group.scheduler
        assert isinstance(scheduler, Random)
        self.assertEqual(set(map(id, scheduler._order)), set(map(id, group.held.values())))
        self.assertEqual(
            scheduler._place, {host.key: place for place, host in enumerate(scheduler._order)}
        )

    def counts(self, hosts: list[FakeHost], excluded: list[FakeHost]) -> list[int]:
        scheduler = Random(RandomSource(5))
        for host in hosts:
            scheduler.hostAdded(host)
        keys = frozenset(host.key for host in excluded)
        had: Counter[object] = Counter()
        for _ in range(6_000):
            pick = scheduler.nextHost(None, keys)
            assert pick is not None
            had[pick.key] += 1
        return [had[host.key] for host in hosts]

    def test_uniform(self) -> None:
        """
        All have the same chance, whatever their weights are.
        """
        hosts = [FakeHost(f"h{number}", 1 + 10 * number) for number in range(5)]
        self.assertLess(chiSquare(self.counts(hosts, []), [1] * 5), chiSquareLimit(4))

    def test_uniformOfTheRest(self) -> None:
        """
        So have those that are left where most are excluded.
        """
        hosts = [FakeHost(f"h{number}") for number in range(40)]
        counts = self.counts(hosts, hosts[3:])
        self.assertEqual(counts[3:], [0] * 37)
        self.assertLess(chiSquare(counts[:3], [1] * 3), chiSquareLimit(2))

    def test_explain(self) -> None:
        """
        Each host's score is its chance.
        """
        scheduler = Random(RandomSource(1))
        hosts = [FakeHost(name) for name in "abcd"]
        for host in hosts:
            scheduler.hostAdded(host)
        self.assertEqual(scheduler.explain(None), {host.key: 0.25 for host in hosts})
