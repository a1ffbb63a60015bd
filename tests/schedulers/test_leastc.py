"""
Tests for L{txlb.schedulers._leastc}.
"""

from __future__ import annotations

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from tests.schedulers.histories import Group, Step, histories
from txlb.schedulers import LeastConnections
from txlb.testing import FakeHost


class NaiveLeast(Group):
    """
    Looks at everybody: fewest connections, then least recently used.
    """

    word = "leastc"

    def __init__(self) -> None:
        super().__init__()
        self.uses: list[FakeHost] = []

    def used(self, host: FakeHost) -> None:
        if host in self.uses:
            self.uses.remove(host)
        self.uses.append(host)

    added = used

    def removed(self, host: FakeHost) -> None:
        self.uses.remove(host)

    def picked(self, pick: FakeHost | None, candidates: list[FakeHost]) -> None:
        if pick is not None:
            best = min(candidates, key=lambda host: (host.active, self.uses.index(host)))
            assert pick is best, f"{pick!r} instead of {best!r}"


class LeastTests(SynchronousTestCase):
    @given(histories)
    def test_asNaive(self, history: list[Step]) -> None:
        """
        In any history each choice is the naive one.
        """
        NaiveLeast().follow(history)

    @given(histories)
    def test_buckets(self, history: list[Step]) -> None:
        """
        There is a bucket for each count that occurs and for no other, in order.
        """
        group = NaiveLeast()
        group.follow(history)
        scheduler = group.scheduler
        assert isinstance(scheduler, LeastConnections)
        found = []
        bucket = scheduler._ends.more
        while bucket is not scheduler._ends:
            found.append((bucket.count, {host.key[2] for host in bucket.hosts}))
            self.assertIs(bucket.more.fewer, bucket)
            bucket = bucket.more
        counts = sorted({host.active for host in group.held.values()})
        wanted = [
            (count, {name for name, host in group.held.items() if host.active == count})
            for count in counts
        ]
        self.assertEqual(found, wanted)

    def test_inTurn(self) -> None:
        """
        Idle hosts take turns where every connection ends before the next begins.
        """
        group = NaiveLeast()
        for name in "abc":
            group.add(name)
        turns = []
        for _ in range(9):
            host = group.acquire()
            assert host is not None
            turns.append(host.name)
            group.follow([Step("release", host.name)])
        self.assertEqual("".join(turns), "abcabcabc")

    def test_jump(self) -> None:
        """
        A count may change by more than one at a time, in both directions.
        """
        group = NaiveLeast()
        a, b, c = (group.add(name) for name in "abc")
        b.active = 3
        group.scheduler.hostChanged(b)
        c.active = 7
        group.scheduler.hostChanged(c)
        a.active = 5
        group.scheduler.hostChanged(a)
        self.assertIs(group.scheduler.nextHost(None), b)
        self.assertIs(group.scheduler.nextHost(None, frozenset({b.key})), a)
        c.active = 0
        group.scheduler.hostChanged(c)
        self.assertIs(group.scheduler.nextHost(None), c)
        self.assertEqual(group.scheduler.explain(None), {a.key: -5.0, b.key: -3.0, c.key: 0.0})
