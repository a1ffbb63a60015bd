"""
Tests for L{txlb.schedulers._bounded}.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import ceil

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.interfaces import IHost
from txlb.schedulers import Key
from txlb.schedulers._bounded import STEPS, Bound
from txlb.testing import FakeHost


def host(name: str, weight: int = 1, active: int = 0) -> FakeHost:
    made = FakeHost(name, weight)
    made.active = active
    return made


class BoundTests(SynchronousTestCase):
    def bound(self, factor: float, *hosts: FakeHost) -> Bound:
        self.hosts = hosts
        bound = Bound(factor)
        for each in hosts:
            bound.update(each)
        return bound

    def candidates(self, excluded: frozenset[Key]) -> list[IHost]:
        return [each for each in self.hosts if each.key not in excluded]

    @given(
        st.sampled_from([1.25, 1.5, 2.0]),
        st.lists(st.tuples(st.integers(1, 9), st.integers(0, 50)), min_size=1, max_size=8),
    )
    def test_formula(self, factor: float, hosts: list[tuple[int, int]]) -> None:
        """
        A host takes up to ceil(c * (A + 1) * w / W) connections, and one host has room, so that
        no client is refused (Mirrokni, Thorup and Zadimoghaddam, section 1).
        """
        made = [host(f"h{n}", weight, active) for n, (weight, active) in enumerate(hosts)]
        bound = self.bound(factor, *made)
        total = sum(active for _, active in hosts) + 1
        weights = sum(weight for weight, _ in hosts)
        for each, (weight, active) in zip(made, hosts, strict=True):
            most = ceil(Fraction(factor) * total * weight / weights)
            self.assertEqual(bound.most(each), most)
            self.assertEqual(bound.hasRoom(each), active < most)
        self.assertTrue(any(map(bound.hasRoom, made)))

    def test_changes(self) -> None:
        """
        Connections and weights that change, and hosts that go, change the shares.
        """
        a, b = host("a", 1, 4), host("b", 3)
        bound = self.bound(1.0, a, b)
        self.assertEqual((bound.most(a), bound.most(b)), (2, 4))
        b.active = 3
        bound.update(b)
        self.assertEqual((bound.most(a), bound.most(b)), (2, 6))
        bound.forget(b)
        self.assertEqual(bound.most(a), 5)
        bound.forget(b)
        self.assertEqual(bound.most(a), 5)

    def test_none(self) -> None:
        """
        Without a factor every host has room.
        """
        self.assertTrue(Bound(0.0).hasRoom(host("a", 1, 1000)))

    def test_choose(self) -> None:
        """
        The first host of the order that is not excluded and has room is chosen. If those with
        room are excluded, it is the first one that is not.
        """
        full, alsoFull, free = host("full", 1, 9), host("alsoFull", 1, 9), host("free")
        bound = self.bound(1.25, full, alsoFull, free)
        order = [full, alsoFull, full, free]
        none: frozenset[Key] = frozenset()
        self.assertIs(bound.choose(order, none, self.candidates), free)
        self.assertIs(bound.choose(order, frozenset({free.key}), self.candidates), full)
        self.assertIs(
            bound.choose(order, frozenset({free.key, full.key}), self.candidates), alsoFull
        )
        every = frozenset(each.key for each in self.hosts)
        self.assertIsNone(bound.choose(order, every, self.candidates))

    def test_chooseEnds(self) -> None:
        """
        A long order is not walked to its end if all hosts are excluded.
        """
        only = host("a")
        bound = self.bound(1.25, only)
        walked: list[int] = []

        def order() -> Iterator[IHost]:
            for number in range(10_000):
                walked.append(number)
                yield only

        self.assertIsNone(bound.choose(order(), frozenset({only.key}), self.candidates))
        self.assertEqual(len(walked), STEPS + 1)

    def test_scores(self) -> None:
        """
        Hosts score by their place in the order; those without room come last.
        """
        full, a, b = host("full", 1, 9), host("a"), host("b")
        bound = self.bound(1.25, full, a, b)
        walked = iter([full, a, full, b, a, full])
        self.assertEqual(bound.scores(walked, 3), {a.key: -1.0, b.key: -2.0, full.key: -3.0})
        self.assertEqual(list(walked), [a, full])
