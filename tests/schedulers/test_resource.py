"""
Tests for L{txlb.schedulers._resource}.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.schedulers.histories import Group, Step, histories
from txlb.schedulers import ResourceShare
from txlb.testing import FakeHost


class Naive(Group):
    """
    Looks its number up in a plain list of running sums.
    """

    word = "resource"

    def __init__(self) -> None:
        super().__init__()
        self.before = self.number()

    def number(self) -> float:
        assert isinstance(self.scheduler, ResourceShare)
        return self.scheduler._number

    def picked(self, pick: FakeHost | None, candidates: list[FakeHost]) -> None:
        assert isinstance(self.scheduler, ResourceShare)
        if pick is not None and len(candidates) == len(self.held):
            order = self.scheduler._order
            number = (self.before + 0.6180339887498949) % 1.0
            place = number * sum(host.effectiveWeight for host in order)
            sums, wanted = 0.0, order[-1]
            for host in order:
                sums += host.effectiveWeight
                if place < sums:
                    wanted = host
                    break
            assert pick is wanted
        self.before = self.number()


class ResourceTests(SynchronousTestCase):
    @given(histories)
    def test_naive(self, history: list[Step]) -> None:
        """
        Whatever happens, it chooses as one that adds up the weights of now.
        """
        Naive().follow(history)

    @given(st.lists(st.integers(1, 100), min_size=1, max_size=8), st.integers(0, 999))
    def test_even(self, weights: list[int], seed: int) -> None:
        """
        At every moment each host has had its share, but for a few picks.
        """
        scheduler = ResourceShare(Random(seed))
        hosts = [FakeHost(f"h{number}", weight) for number, weight in enumerate(weights)]
        for host in hosts:
            scheduler.hostAdded(host)
        counts: Counter[str] = Counter()
        total = sum(weights)
        for picks in range(1, 500):
            counts[cast(FakeHost, scheduler.nextHost(None)).name] += 1
            for host in hosts:
                self.assertLess(abs(counts[host.name] - picks * host.weight / total), 4)

    def test_changes(self) -> None:
        """
        Weights that change with every pick are followed at once: a host has
        its share of each moment, summed up.
        """
        scheduler, chance = ResourceShare(Random(3)), Random(4)
        hosts = [FakeHost(name, 100) for name in "abc"]
        for host in hosts:
            scheduler.hostAdded(host)
        wanted: Counter[str] = Counter()
        counts: Counter[str] = Counter()
        for _ in range(5_000):
            for host in hosts:
                host.effectiveWeight = 100 * (0.01 + chance.random())
                scheduler.hostChanged(host)
            total = sum(host.effectiveWeight for host in hosts)
            for host in hosts:
                wanted[host.name] += host.effectiveWeight / total  # type: ignore[assignment]  # floats count as well
            counts[cast(FakeHost, scheduler.nextHost(None)).name] += 1
        for host in hosts:
            self.assertLess(abs(counts[host.name] - wanted[host.name]), 100)

    def test_excluded(self) -> None:
        """
        What is chosen beside an excluded host leaves the others' shares alone.
        """
        scheduler = ResourceShare(Random(3))
        hosts = [FakeHost(f"h{number}", number + 1) for number in range(20)]
        for host in hosts:
            scheduler.hostAdded(host)
        excluded = frozenset(host.key for host in hosts[1:])
        for _ in range(20):
            self.assertEqual(scheduler.nextHost(None, excluded), hosts[0])
        self.assertIsNone(scheduler.nextHost(None, excluded | {hosts[0].key}))


class KeptTests(SynchronousTestCase):
    """
    Tests of the state for another process.
    """

    def test_goesOn(self) -> None:
        """
        The sequence goes on where it was, through the hosts in the same order.
        """
        policies = [ResourceShare(Random(1)), ResourceShare(Random(2))]
        hosts = [FakeHost(name, weight) for name, weight in (("a", 1), ("b", 5), ("c", 2))]
        for host in (*hosts, hosts[0]):
            if host in policies[0].hosts.values():
                policies[0].hostRemoved(host)
            policies[0].hostAdded(host)
        for _ in range(7):
            policies[0].nextHost(None)
        for host in (*hosts, FakeHost("new")):
            policies[1].hostAdded(host)
        policies[1].restoring(policies[0].state())()
        policies[0].hostAdded(FakeHost("new"))
        picks = [[policy.nextHost(None) for policy in policies] for _ in range(100)]
        for one, other in picks:
            assert one is not None and other is not None
            self.assertEqual(one.key, other.key)
