"""
Tests for L{txlb.endpoints._upkeep}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.endpoints import PoolUpkeep
from txlb.model import ProxyHost
from txlb.pool import Host, HostPool, Outcome


class UpkeepTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        hosts = [ProxyHost("a", "192.0.2.1", 80), ProxyHost("b", "192.0.2.2", 80)]
        self.pool = HostPool("roundr", hosts, seconds=self.clock.seconds, slowStart=4)

    def test_shared(self) -> None:
        """
        All users of a pool have the same upkeep, which ends with the last.
        """
        first = PoolUpkeep.of(self.pool, self.clock)
        self.pool.addHost(ProxyHost("c", "192.0.2.3", 80))
        self.assertIs(PoolUpkeep.of(self.pool, self.clock), first)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        first.release()
        self.clock.advance(1)
        self.assertGreater(self.pool.getHost("c").effectiveWeight, 0.2)
        first.release()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertIsNone(self.pool.wakeBy)
        self.assertIsNone(self.pool.cut)
        self.assertIsNot(PoolUpkeep.of(self.pool, self.clock), first)

    def test_ofABalancer(self) -> None:
        """
        A pool that is advanced already is left alone; connections of both kinds end.
        """
        wakes: list[float] = []
        cuts: list[tuple[str, object]] = []

        def cut(host: Host, outcome: Outcome) -> None:
            cuts.append((host.name, outcome))

        self.pool.wakeBy, self.pool.cut = wakes.append, cut
        upkeep = PoolUpkeep.of(self.pool, self.clock)
        self.pool.addHost(ProxyHost("c", "192.0.2.3", 80))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        ends: list[object] = []
        for name in ("a", "b"):
            upkeep.add(name, self.pool.getHost(name), ends.append)
        lease = self.pool.acquire()
        self.assertEqual(lease.host.name, "a")
        self.pool.removeHost("a", force=True)
        self.assertEqual((ends, cuts), ([Outcome.REMOVED], [("a", Outcome.REMOVED)]))
        for name in ("a", "b"):
            upkeep.remove(name)
        upkeep.release()
        self.assertEqual((self.pool.cut, self.pool.wakeBy), (cut, wakes.append))
