"""
Tests for L{txlb.cluster._beats}.
"""

from __future__ import annotations

from tests.cluster.etcds import PREFIX, ClusterTestCase
from tests.cluster.history import checkHistory
from txlb.clients import Transaction


class BeatsTests(ClusterTestCase):
    def test_etcdLeaderDies(self) -> None:
        """
        If the leader of etcd dies together with that of the cluster all leases begin anew.
        Another member leads after the time of a lease nevertheless, and the two never lead at a
        time.
        """
        a, b, c = self.join("a", "b", "c")
        self.advance(1)
        self.assertTrue(a.leads)
        self.clients["a"].away = True
        for each in "bc":
            self.clients[each].away = True
        for _ in self.steps(1.5):
            self.assertFalse(b.leads or c.leads)
        self.etcd.extend(1.0)
        for each in "bc":
            self.clients[each].away = False
        for _ in self.steps(2.2):
            self.assertFalse(a.leads and (b.leads or c.leads))
        self.assertTrue(b.leads or c.leads)
        checkHistory(self, self.etcd)

    def test_outage(self) -> None:
        """
        A leader that lives leads on after an outage of etcd, whichever member etcd answers first.
        """
        for first in "ab":
            with self.subTest(first):
                self.setUp()
                a, _ = self.join("a", "b")
                self.advance(1)
                term = a.ownTerm
                self.etcd.down = True
                for each in "ab":
                    self.clients[each].away = True
                self.advance(8)
                self.assertFalse(a.leads)
                self.etcd.extend(1.0)
                self.etcd.down = False
                self.clients[first].away = False
                self.advance(0.3)
                self.clients["a"].away = self.clients["b"].away = False
                self.advance(1)
                self.assertEqual(a.ownTerm, term)

    def test_doesNotBeat(self) -> None:
        """
        A leader without beats, such as one of an earlier version, leads as long as its lease lasts.
        """
        lease = next(self.etcd.numbers)
        self.etcd.leases[lease] = (1000.0, 1000)
        record = b'{"member": "old", "since": 1}'
        key = PREFIX + "leader"
        self.etcd.commit(Transaction().ifCreatedAt(key, 0).put(key, record, lease).body)
        for wrong in (b"", b"x", b"%d" % lease, b"99 3", b"%d 9999999" % lease):
            self.etcd.commit(Transaction().put(PREFIX + "beat", wrong).body)
            (b,) = self.join("b")
            self.advance(10)
            self.assertEqual((b.leads, b.state.leader), (False, "old"))
            b.stopService()

    def test_otherLease(self) -> None:
        """
        The time of a lease is that of the leader, not that of the member that looks.
        """
        (a,) = self.join("a")
        b = self.make("b", ttl=10.0)
        b.startService()
        self.advance(1)
        fired = a.stopService()
        self.successResultOf(fired)
        self.advance(0.5)
        self.assertTrue(b.leads)
        (a,) = self.join("a")
        for _ in self.steps(30):
            self.assertTrue(b.leads)
        self.assertEqual(a.state.leader, "b")

    def test_lostBeat(self) -> None:
        """
        A leader whose beats are refused does not lead, although its lease is there.
        """
        a, _ = self.join("a", "b")
        self.advance(1)
        self.etcd.refuse = PREFIX + "beat"
        self.advance(4)
        self.assertFalse(a.leads)
        self.assertTrue(a.connected)
