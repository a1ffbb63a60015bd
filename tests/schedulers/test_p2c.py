"""
Tests for L{txlb.schedulers._p2c}.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import cast

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from tests.schedulers.histories import Group, Step, histories
from txlb.schedulers import TwoChoices
from txlb.testing import FakeHost
from txlb.testing._measure import chiSquare, chiSquareLimit


def policy(hosts: list[FakeHost], choices: int = 2) -> TwoChoices:
    scheduler = TwoChoices(Random(5), choices=choices)
    for host in hosts:
        scheduler.hostAdded(host)
    return scheduler


class NaiveTwo(Group):
    """
    Keeps nothing but what it is told, and sees to it that the worst of all is
    not chosen where there are others.
    """

    word = "p2c"

    def picked(self, pick: FakeHost | None, candidates: list[FakeHost]) -> None:
        assert isinstance(self.scheduler, TwoChoices)
        cost = self.scheduler.cost
        if pick is not None and len(candidates) == len(self.held) > 1:
            others = [cost(host) for host in candidates if host is not pick]
            assert cost(pick) <= max(others), (pick, candidates)
        weights = [host.effectiveWeight for host in self.held.values()]
        assert self.scheduler.even == (len(set(weights)) < 2)
        total = self.scheduler._table.total
        assert abs(total - sum(weights)) <= 1e-9 * max(total, 1.0)


class TwoChoicesTests(SynchronousTestCase):
    @given(histories)
    def test_anyHistory(self, history: list[Step]) -> None:
        """
        The worst host is never chosen while another could be, and the table is
        that of the weights.
        """
        NaiveTwo().follow(history)

    def test_cost(self) -> None:
        """
        What is compared is what a host would have with one more, for its weight;
        idle hosts are equal.
        """
        cost = policy([]).cost
        self.assertEqual(cost(FakeHost("a", 5)), cost(FakeHost("b", 1)))
        self.assertEqual(cost(FakeHost("a", 4, active=3)), 1.0)
        self.assertLess(cost(FakeHost("a", 1)), cost(FakeHost("b", 100, active=1)))
        self.assertLess(cost(FakeHost("a", 3, active=1)), cost(FakeHost("b", 1, active=1)))

    def test_twoHosts(self) -> None:
        """
        Of two hosts both are drawn, so that the better one is always chosen.
        """
        for weights in ((1, 1), (1, 9)):
            hosts = [FakeHost("a", weights[0], active=1), FakeHost("b", weights[1], active=90)]
            scheduler = policy(hosts)
            self.assertEqual({scheduler.nextHost(None) for _ in range(200)}, {hosts[0]})

    def test_pairs(self) -> None:
        """
        Every pair is drawn, as often as its weights say, and in it the better
        one is chosen.
        """
        for weights in ((1, 1, 1), (1, 2, 5)):
            hosts = [FakeHost(f"h{w}-{i}", w, active=i * 100**i) for i, w in enumerate(weights)]
            scheduler = policy(hosts)
            counts = Counter(scheduler.nextHost(None) for _ in range(20_000))
            total = sum(weights)
            # The worst is never chosen, the middle one where the best is not drawn.
            middle = sum(weights[i] / total * weights[3 - i] / (total - weights[i]) for i in (1, 2))
            found = [counts[hosts[0]], counts[hosts[1]]]
            self.assertEqual(sum(found), 20_000)
            self.assertLess(chiSquare(found, [1 - middle, middle]), chiSquareLimit(1))

    def test_longestQueue(self) -> None:
        """
        With connections that stay, the longest queue of 500 hosts is far below
        that of hosts drawn one at a time.
        """
        longest = []
        for choices in (2, 3):
            hosts = [FakeHost(f"h{number}") for number in range(500)]
            scheduler = policy(hosts, choices)
            for _ in range(5_000):
                pick = cast(FakeHost, scheduler.nextHost(None))
                pick.active += 1
                scheduler.hostChanged(pick)
            longest.append(max(host.active for host in hosts))
        # One at a time it is 20 to 24 of a mean of 10.
        self.assertLessEqual(longest[0], 14)
        self.assertLessEqual(longest[1], longest[0])

    def test_underLoad(self) -> None:
        """
        With connections that come and go, hosts have them for their weights.
        """
        weights = (1, 2, 3, 6)
        hosts = [FakeHost(f"h{weight}", weight) for weight in weights]
        scheduler = policy(hosts)
        chance = Random(9)
        held: list[FakeHost] = []
        sums = Counter[str]()
        for _ in range(20_000):
            pick = cast(FakeHost, scheduler.nextHost(None))
            pick.active += 1
            held.append(pick)
            scheduler.hostChanged(pick)
            if len(held) > 240:
                place = chance.randrange(len(held))
                gone, held[place] = held[place], held[-1]
                held.pop()
                gone.active -= 1
                scheduler.hostChanged(gone)
            for host in hosts:
                sums[host.name] += host.active
        total = sum(sums.values())
        for host in hosts:
            share = sums[host.name] / total
            self.assertLess(abs(share - host.weight / 12), 0.01)

    def test_excluded(self) -> None:
        """
        Where nearly all are excluded, those that are left are found.
        """
        hosts = [FakeHost(f"h{number}", 1 + number % 2) for number in range(100)]
        for choices in (2, 5):
            scheduler = policy(hosts, choices)
            excluded = frozenset(host.key for host in hosts[1:])
            self.assertEqual({scheduler.nextHost(None, excluded) for _ in range(50)}, {hosts[0]})
            self.assertIsNone(scheduler.nextHost(None, excluded | {hosts[0].key}))

    def test_moreChoices(self) -> None:
        """
        Who draws as many as there are gets the best.
        """
        hosts = [FakeHost(f"h{number}", active=number) for number in range(4)]
        scheduler = policy(hosts, 16)
        counts = Counter(scheduler.nextHost(None) for _ in range(300))
        self.assertGreater(counts[hosts[0]], 280)

    def test_edge(self) -> None:
        """
        A number that rounding puts into the span of the host drawn first still
        gives another one.
        """

        class Numbers(Random):
            def __init__(self, values: list[float]) -> None:
                super().__init__()
                self.values = values

            def random(self) -> float:
                return self.values.pop(0)

        hosts = [FakeHost("a", 1), FakeHost("b", 2)]
        for first, second in ((0.0, 0.0), (0.999999, 0.999999)):
            scheduler = TwoChoices(Numbers([first, second]))
            for host in hosts:
                scheduler.hostAdded(host)
            one, two = scheduler._two()
            self.assertIsNot(one, two)
