"""
Tests for L{txlb.schedulers._lazyheap}.
"""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from txlb.interfaces import IHost
from txlb.schedulers._lazyheap import LazyHeap
from txlb.testing import FakeHost

NONE: frozenset[tuple[str, str, str]] = frozenset()


class LazyHeapTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.heap: LazyHeap[tuple[float, int]] = LazyHeap(2)
        self.hosts = [FakeHost(f"h{number}") for number in range(5)]

    def order(self) -> list[IHost]:
        """
        Return all hosts in the order of the heap.
        """
        found: list[IHost] = []
        while (host := self.heap.lowest(frozenset(each.key for each in found))) is not None:
            found.append(host)
        return found

    def test_lowest(self) -> None:
        """
        The host of the lowest rank is first and stays; excluded hosts are passed over, and are
        there again afterwards.
        """
        self.assertIsNone(self.heap.lowest(NONE))
        for number, host in enumerate(self.hosts):
            self.heap.set(host, (-number, number))
        a, b = self.hosts[4], self.hosts[3]
        for _ in range(2):
            self.assertIs(self.heap.lowest(NONE), a)
        self.assertIs(self.heap.lowest(frozenset({a.key})), b)
        self.assertIs(self.heap.lowest(NONE), a)
        self.assertIsNone(self.heap.lowest(frozenset(host.key for host in self.hosts)))
        self.assertEqual(self.order(), self.hosts[::-1])

    def test_changes(self) -> None:
        """
        The last rank of a host is the valid one, also if it had that rank before. A removed host
        is not found, and can be added again.
        """
        a, b, c = self.hosts[:3]
        for number, host in enumerate((a, b, c)):
            self.heap.set(host, (number, number))
        self.heap.set(a, (3, 3))
        self.assertEqual(self.order(), [b, c, a])
        self.heap.set(a, (0, 0))
        self.assertEqual(self.order(), [a, b, c])
        self.heap.remove(a)
        self.assertEqual(self.order(), [b, c])
        self.heap.set(a, (0, 0))
        self.assertEqual(self.order(), [a, b, c])
        self.assertEqual(self.heap.current[a.key], ((0, 0), a))

    def test_bound(self) -> None:
        """
        However many changes there are, the number of entries has its bound, and the order is
        that of the last ranks.
        """
        random = Random(13)
        ranks: dict[int, tuple[float, int]] = {}
        for number in range(2000):
            which = random.randrange(len(self.hosts))
            if which in ranks and random.random() < 0.2:
                del ranks[which]
                self.heap.remove(self.hosts[which])
            else:
                # Few values, so that many ranks come again.
                ranks[which] = (random.randrange(3), which)
                self.heap.set(self.hosts[which], ranks[which])
            self.assertLessEqual(len(self.heap), 2 * len(ranks) + 16)
            if number % 50 == 0:
                wanted = sorted(ranks, key=ranks.__getitem__)
                self.assertEqual(self.order(), [self.hosts[each] for each in wanted])
