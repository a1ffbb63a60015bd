"""
Tests for L{txlb.schedulers._roundr}.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.schedulers.histories import Group, Step, histories
from txlb.schedulers import RoundRobin
from txlb.schedulers._roundr import EPSILON, HORIZON
from txlb.testing import FakeHost


@dataclass
class NaiveTurn:
    begin: float
    deadline: float
    number: int
    weight: float


class NaiveRoundRobin(Group):
    """
    Looks at every turn: of those that may begin the one with the earliest
    deadline; where there is none, the next to begin.
    """

    word = "roundr"

    def __init__(self) -> None:
        super().__init__()
        self.turns: dict[str, NaiveTurn] = {}
        self.now = 0.0
        self.number = 0

    def give(self, host: FakeHost, begin: float) -> None:
        self.number += 1
        weight = host.effectiveWeight
        self.turns[host.name] = NaiveTurn(begin, begin + 1 / weight, self.number, weight)

    def added(self, host: FakeHost) -> None:
        self.give(host, self.now)

    def removed(self, host: FakeHost) -> None:
        del self.turns[host.name]

    def weightChanged(self, host: FakeHost) -> None:
        turn = self.turns[host.name]
        if turn.weight != host.effectiveWeight:
            self.give(host, min(turn.begin, self.now))

    def due(self) -> set[str]:
        return {name for name, turn in self.turns.items() if turn.begin <= self.now + EPSILON}

    def picked(self, pick: FakeHost | None, candidates: list[FakeHost]) -> None:
        if self.turns and not self.due():
            self.now = min(turn.begin for turn in self.turns.values())
        if pick is None:
            return
        due = self.due()
        best = min(
            (host.name not in due, turn.deadline if host.name in due else turn.begin, turn.number)
            for host in candidates
            for turn in [self.turns[host.name]]
        )
        turn = self.turns[pick.name]
        assert best[2] == turn.number, f"{pick!r} at {self.now} of {self.turns}"
        self.now += 1 / sum(each.weight for each in self.turns.values())
        self.give(pick, turn.deadline)
        if self.now >= HORIZON:
            for each in self.turns.values():
                each.begin -= self.now
                each.deadline -= self.now
            self.now = 0.0


def deviation(
    scheduler: RoundRobin, weights: list[float], picks: int, leavers: Sequence[FakeHost] = ()
) -> float:
    """
    How far at most a host was from its share, at any time.

    @param leavers: hosts that come before and go before the first turn.
    """
    for host in leavers:
        scheduler.hostAdded(host)
    hosts = [FakeHost(f"h{place}", 1) for place in range(len(weights))]
    for host, weight in zip(hosts, weights, strict=True):
        host.effectiveWeight = weight
        scheduler.hostAdded(host)
    for host in leavers:
        scheduler.hostRemoved(host)
    had: Counter[object] = Counter()
    most = 0.0
    for number in range(1, picks + 1):
        pick = scheduler.nextHost(None)
        assert pick is not None
        had[pick.key] += 1
        for host, weight in zip(hosts, weights, strict=True):
            most = max(most, abs(had[host.key] - number * weight / sum(weights)))
    return most


def fresh() -> RoundRobin:
    """
    A policy that holds nobody yet.
    """
    return RoundRobin(Random(1))


class RoundRobinTests(SynchronousTestCase):
    @settings(max_examples=200)
    @given(histories)
    # Where the time didn't go on to the next turn, b would have been chosen once
    # before its time in this one.
    @example(
        [
            Step("add", "a", 3),
            Step("add", "d", 1),
            Step("acquire", excluded=frozenset("d"), times=4),
            Step("remove", "d"),
            Step("add", "b", 1),
            Step("acquire", times=8),
        ]
    )
    def test_asNaive(self, history: list[Step]) -> None:
        """
        In any history each choice is the naive one.
        """
        NaiveRoundRobin().follow(history)

    @given(st.lists(st.integers(1, 60), min_size=1, max_size=8))
    def test_smooth(self, weights: list[int]) -> None:
        """
        After any number of turns each host has had its share, to within one.
        """
        found = deviation(fresh(), [float(weight) for weight in weights], 2 * sum(weights))
        self.assertLess(found, 1 + 1e-6)

    @given(st.lists(st.floats(0.05, 20.0), min_size=1, max_size=6))
    def test_smoothFractions(self, weights: list[float]) -> None:
        """
        It is so for effective weights that are not whole, too.
        """
        self.assertLess(deviation(fresh(), weights, 300), 1 + 1e-6)

    def test_longRun(self) -> None:
        """
        However long it has been going, rounding changes nothing: the time starts
        from 0 again.
        """
        scheduler = fresh()
        scheduler._now = HORIZON - 0.1
        self.assertLess(deviation(scheduler, [65535.0, 1.0, 3.0], 20_000), 1 + 1e-6)
        self.assertLess(scheduler._now, HORIZON)
        scheduler = fresh()
        self.assertLess(deviation(scheduler, [0.3, 0.7, 0.1], 20_000), 1 + 1e-6)
        self.assertLess(scheduler._now, HORIZON)

    def test_order(self) -> None:
        """
        Weights 5, 1, 1 don't make a burst.
        """
        group = NaiveRoundRobin()
        for name, weight in (("a", 5), ("b", 1), ("c", 1)):
            group.add(name, weight)
        order = ""
        for _ in range(14):
            pick = group.acquire()
            assert pick is not None
            order += pick.name
        self.assertEqual(Counter(order[:7]), {"a": 5, "b": 1, "c": 1})
        self.assertEqual(order[:7], order[7:])
        self.assertNotIn("aaaa", order)

    def test_exclusionCostsOthersNothing(self) -> None:
        """
        A client that excludes all but one gets that one early, and those that
        were passed over don't go before their time because of it.
        """
        scheduler = fresh()
        a, b = FakeHost("a", 1), FakeHost("b", 100)
        scheduler.hostAdded(a)
        scheduler.hostAdded(b)
        first = [scheduler.nextHost(None) for _ in range(101)]
        self.assertEqual(first.count(a), 1)
        for _ in range(10):
            scheduler.nextHost(None, frozenset({b.key}))
        after = [scheduler.nextHost(None) for _ in range(800)]
        self.assertEqual(after.count(a), 0)

    def test_leaverLeavesNoGap(self) -> None:
        """
        When those that lagged have left, the others go on at once.
        """
        scheduler = fresh()
        a, b = FakeHost("a", 1), FakeHost("b", 1)
        scheduler.hostAdded(a)
        scheduler.hostAdded(b)
        self.assertIs(scheduler.nextHost(None), a)
        scheduler.hostRemoved(b)
        for _ in range(3):
            self.assertIs(scheduler.nextHost(None), a)
        scheduler.hostAdded(b)
        picks = [scheduler.nextHost(None) for _ in range(10)]
        self.assertIn(picks.count(b), {5, 6})

    def test_lateKeepsItsRight(self) -> None:
        """
        A host that was passed over keeps what it has a right to when its weight
        changes.
        """
        scheduler = fresh()
        a, b = FakeHost("a", 1), FakeHost("b", 1)
        scheduler.hostAdded(a)
        scheduler.hostAdded(b)
        for _ in range(8):
            self.assertIs(scheduler.nextHost(None, frozenset({b.key})), a)
        b.effectiveWeight = 2.0
        scheduler.hostChanged(b)
        self.assertEqual([scheduler.nextHost(None) for _ in range(12)], [b] * 12)

    def test_leaversWeight(self) -> None:
        """
        When hosts have left, the others are as smooth as if those had never been
        there.
        """
        scheduler = fresh()
        leavers = [FakeHost(f"leaver{number}") for number in range(10)]
        for host in leavers:
            host.effectiveWeight = 0.5
        self.assertLess(deviation(scheduler, [7.0, 1.0, 1.0, 1.0], 60, leavers), 1 + 1e-6)

    def test_bounded(self) -> None:
        """
        Old turns are dropped when they are the greater part.
        """
        scheduler = fresh()
        hosts = [FakeHost(f"h{number}", 1) for number in range(4)]
        for host in hosts:
            scheduler.hostAdded(host)
        most = 0
        for number in range(2_000):
            host = hosts[number % 4]
            host.effectiveWeight = 1.0 + number % 9
            scheduler.hostChanged(host)
            most = max(most, len(scheduler._due) + len(scheduler._waiting))
        self.assertLessEqual(most, 2 * 4 + 17)
        for host in hosts:
            scheduler.hostRemoved(host)
        self.assertLessEqual(len(scheduler._due) + len(scheduler._waiting), 16)
        self.assertIsNone(scheduler.nextHost(None))

    def test_explain(self) -> None:
        """
        Who is due scores higher than who is not.
        """
        scheduler = fresh()
        a, b = FakeHost("a", 1), FakeHost("b", 1)
        scheduler.hostAdded(a)
        scheduler.hostAdded(b)
        self.assertIs(scheduler.nextHost(None), a)
        scores = scheduler.explain(None)
        self.assertGreater(scores[b.key], scores[a.key])
