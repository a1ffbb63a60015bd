"""
Tests for L{txlb.schedulers._first}.
"""

from __future__ import annotations

from random import Random

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from tests.schedulers.histories import Group, Step, histories
from txlb.schedulers import First
from txlb.testing import FakeHost


class NaiveFirst(Group):
    """
    Looks for the lowest order, then for who came first.
    """

    word = "first"

    def __init__(self) -> None:
        super().__init__()
        self.came: list[FakeHost] = []

    def added(self, host: FakeHost) -> None:
        self.came.append(host)

    def removed(self, host: FakeHost) -> None:
        self.came.remove(host)

    def picked(self, pick: FakeHost | None, candidates: list[FakeHost]) -> None:
        if candidates:
            wanted = min(candidates, key=lambda host: (host.order, self.came.index(host)))
            assert pick is wanted, (pick, wanted)
        assert isinstance(self.scheduler, First)
        assert len(self.scheduler._heap) <= 2 * len(self.held) + 16


class FirstTests(SynchronousTestCase):
    @given(histories)
    def test_naive(self, history: list[Step]) -> None:
        """
        Whatever happens, it chooses as one that looks at everybody.
        """
        NaiveFirst().follow(history)

    def test_order(self) -> None:
        """
        It is the order of the configuration that counts, not who became ready
        first; and it may change.
        """
        scheduler = First(Random(1))
        hosts = [FakeHost(name, order=order) for name, order in zip("abc", (2, 1, 3), strict=True)]
        for host in hosts:
            scheduler.hostAdded(host)
        self.assertIs(scheduler.nextHost(None), hosts[1])
        self.assertEqual([key[2] for key in scheduler.explain(None)], ["b", "a", "c"])
        self.assertIs(scheduler.nextHost(None, frozenset({hosts[1].key})), hosts[0])
        scheduler.hostRemoved(hosts[1])
        self.assertIs(scheduler.nextHost(None), hosts[0])
        scheduler.hostAdded(hosts[1])
        self.assertIs(scheduler.nextHost(None), hosts[1])
        hosts[2].order = 0
        scheduler.hostChanged(hosts[2])
        self.assertIs(scheduler.nextHost(None), hosts[2])
