"""
Tests for L{txlb.cluster._member} without a server; C{integration/test_cluster.py} has one.
"""

from __future__ import annotations

from random import Random

from tests.cluster.etcds import PREFIX, ClusterTestCase
from tests.fired import fired
from txlb.clients import Transaction
from txlb.errors import TxlbError
from txlb.pool import EventKind


class ElectionTests(ClusterTestCase):
    def test_first(self) -> None:
        """
        The first member leads, and the others know it.
        """
        a, b = self.join("a", "b")
        self.advance(0.2)
        self.assertEqual((a.leads, b.leads), (True, False))
        self.assertEqual(a.ownTerm, self.etcd.keys[PREFIX + "leader"].created)
        state = b.state
        self.assertEqual((state.leader, state.term, state.connected), ("a", a.term, True))
        self.assertEqual([each.name for each in state.members], ["a", "b"])
        self.assertEqual([each.leader for each in state.members], ["a", "a"])
        self.assertEqual(self.kinds("a"), [EventKind.CLUSTER_JOINED, EventKind.LEADER_ELECTED])
        self.assertEqual(self.kinds("b"), [EventKind.CLUSTER_JOINED])

    def test_stays(self) -> None:
        """
        A leader that renews its lease leads on, in one term.
        """
        a, b = self.join("a", "b")
        self.advance(0.2)
        term = a.term
        for _ in self.steps(60):
            self.assertEqual((a.leads, b.leads, b.term), (True, False, term))

    def test_stops(self) -> None:
        """
        A leader that stops gives the lead to another one at once.
        """
        a, b = self.join("a", "b")
        self.advance(0.2)
        fired(a.stopService())
        self.advance(0.1)
        self.assertEqual((a.leads, b.leads), (False, True))
        self.assertNotIn(PREFIX + "members/a", self.etcd.keys)
        self.assertEqual(self.clients["a"].closed, 1)

    def test_killed(self) -> None:
        """
        A leader that is gone is followed by another one when its lease has ended.
        """
        a, b = self.join("a", "b")
        self.advance(0.2)
        self.clocks["a"].paused = self.clients["a"].away = True
        self.advance(4)
        self.assertTrue(b.leads)
        self.assertNotEqual(b.term, 0)
        self.assertFalse(a.leads)

    def test_paused(self) -> None:
        """
        A leader that was paused does not lead when it goes on, before anything has told it so, and
        there is never a time at which two lead.
        """
        a, b = self.join("a", "b")
        self.advance(0.2)
        term = a.ownTerm
        self.clocks["a"].paused = self.clients["a"].silent = True
        for _ in self.steps(5):
            self.assertFalse(a.leads and b.leads)
        self.assertEqual((a.leads, b.leads), (False, True))
        # Its write is refused by its token.
        key = PREFIX + "leader"
        late = Transaction().ifCreatedAt(key, term).put(PREFIX + "x", b"1")
        self.assertFalse(self.etcd.commit(late.body).succeeded)
        self.clients["a"].silent = False
        self.clocks["a"].goOn()
        for _ in self.steps(5):
            self.assertFalse(a.leads)
        self.assertEqual(a.state.leader, "b")
        self.assertTrue(a.connected)

    def test_cutOff(self) -> None:
        """
        A member without etcd gives up by its own clock before its lease ends, tells it once, and
        comes back.
        """
        a, b = self.join("a", "b")
        self.advance(0.2)
        self.clients["a"].away = True
        for _ in self.steps(4):
            self.assertFalse(a.leads and b.leads)
        self.assertFalse(a.connected)
        self.assertIn("it is away", a.state.trouble)
        self.assertEqual(self.kinds("a").count(EventKind.CLUSTER_LOST), 1)
        self.assertEqual(self.kinds("a").count(EventKind.LEADER_LEFT), 1)
        self.clients["a"].away = False
        self.advance(2)
        self.assertTrue(a.connected)
        self.assertEqual(self.kinds("a").count(EventKind.CLUSTER_JOINED), 2)
        self.assertEqual((a.state.leader, a.state.trouble), ("b", ""))

    def test_unanswered(self) -> None:
        """
        A member whose lease has ended while etcd has not answered says so.
        """
        (a,) = self.join("a")
        self.advance(0.2)
        self.clients["a"].stuck = True
        self.advance(4)
        self.assertFalse(a.connected)
        self.assertIn("etcd has not answered in time", a.state.trouble)
        self.assertIn("etcd has not answered in time", a.whyNoChange())

    def test_etcdAway(self) -> None:
        """
        If all leases have outlived an outage of etcd, the leader goes on in its term.
        """
        a, b = self.join("a", "b")
        self.advance(0.2)
        term = a.term
        for each in self.clients.values():
            each.away = True
        self.etcd.leases = {lease: (1e9, ttl) for lease, (_, ttl) in self.etcd.leases.items()}
        self.advance(10)
        self.assertFalse(a.leads or b.leads)
        for each in self.clients.values():
            each.away = False
        self.advance(3)
        self.assertEqual((a.ownTerm, b.leads), (term, False))

    def test_neverReached(self) -> None:
        """
        A member that has never reached etcd tells nothing of having lost it, and joins later.
        """
        member = self.make("a")
        self.clients["a"].away = True
        member.startService()
        self.advance(5)
        self.assertEqual(self.kinds("a"), [EventKind.CLUSTER_LOST])
        self.clients["a"].away = False
        self.advance(2)
        self.assertTrue(member.leads)

    def test_silentWatch(self) -> None:
        """
        A watch that tells nothing although keys have changed is begun anew.
        """
        a, b = self.join("a", "b")
        self.advance(0.2)
        self.clients["b"].silent = True
        fired(a.stopService())
        self.advance(0.2)
        self.clients["b"].silent = False
        self.advance(4)
        self.assertTrue(b.leads)

    def test_watchEnds(self) -> None:
        a, b = self.join("a", "b")
        self.advance(0.2)
        watch = next(each for each in self.etcd.watches if each.client is self.clients["b"])
        watch.stop()
        watch.ended("no leader")
        self.assertFalse(b.connected)
        self.assertEqual(b.state.trouble, "no leader")
        fired(a.stopService())
        self.advance(1)
        self.assertTrue(b.leads)

    def test_nameTaken(self) -> None:
        """
        A name that another process has is told. When that one is gone the member joins.
        """
        (a,) = self.join("a")
        self.advance(0.2)
        other = self.make("a")
        other.startService()
        self.advance(1)
        self.assertFalse(other.leads)
        self.assertIn("another process is member a", other._trouble)
        fired(a.stopService())
        self.advance(2)
        self.assertTrue(other.leads)

    def test_keyRemoved(self) -> None:
        """
        Keys that another program has removed are written again.
        """
        (a,) = self.join("a")
        self.advance(0.2)
        first = a.term
        self.etcd.change({}, [PREFIX + "leader", PREFIX + "members/a"])
        self.advance(0.5)
        self.assertIn(PREFIX + "members/a", self.etcd.keys)
        self.assertTrue(a.leads)
        self.assertGreater(a.term, first)

    def test_leaseGone(self) -> None:
        (a,) = self.join("a")
        self.advance(0.2)
        self.etcd.end(a._session.lease)
        self.advance(2)
        self.assertTrue(a.leads)

    def test_manyMembers(self) -> None:
        """
        Keys of more members than can be meant take no memory.
        """
        (a,) = self.join("a")
        names = [f"{PREFIX}members/x{number}" for number in range(500)]
        self.etcd.change(dict.fromkeys(names, (b"{}", 0)), [])
        self.advance(2)
        self.assertLessEqual(len(a.state.members), 101)

    def test_random(self) -> None:
        """
        Whatever is paused, cut off, stopped and brought back: never do two lead by their own
        clocks, and never is a term shared.
        """
        for seed in range(20):
            self.setUp()
            self.random(seed)

    def random(self, seed: int) -> None:
        chance = Random(seed)
        members = self.join("a", "b", "c")
        owners: dict[int, str] = {}
        for _ in range(30):
            name = chance.choice("abc")
            client, clock = self.clients[name], self.clocks[name]
            what = chance.randrange(4)
            if what == 0:
                clock.paused = client.silent = True
            elif what == 1:
                client.silent = False
                clock.goOn()
            elif what == 2:
                client.away = True
            else:
                client.away = False
            for _ in self.steps(chance.choice((0.1, 0.5, 2.0, 5.0))):
                leaders = [each for each in members if each.leads]
                self.assertLessEqual(len(leaders), 1, seed)
                for each in leaders:
                    self.assertEqual(owners.setdefault(each.ownTerm, each.member), each.member)
        for name in "abc":
            self.clients[name].away = self.clients[name].silent = False
            self.clocks[name].goOn()
        self.advance(10)
        self.assertEqual(sum(each.leads for each in members), 1, seed)
        self.assertTrue(all(each.connected for each in members))
        for each in members:
            fired(each.stopService())


class StepDownTests(ClusterTestCase):
    def test_stepsDown(self) -> None:
        """
        Another member leads, and the one before it leads again only if that one goes.
        """
        a, b = self.join("a", "b")
        self.advance(0.2)
        fired(a.stepDown())
        self.advance(0.2)
        self.assertEqual((a.leads, b.leads), (False, True))
        self.advance(30)
        self.assertTrue(b.leads)
        fired(b.stopService())
        self.advance(0.2)
        self.assertTrue(a.leads)

    def test_refused(self) -> None:
        (a,) = self.join("a")
        self.advance(0.2)
        reason = self.failureResultOf(a.stepDown(), TxlbError)
        self.assertIn("only member", reason.getErrorMessage())
        (b,) = self.join("b")
        self.advance(0.2)
        reason = self.failureResultOf(b.stepDown(), TxlbError)
        self.assertIn("a leads, step down there", reason.getErrorMessage())

    def test_leaves(self) -> None:
        """
        A member that leaves is none until it joins again.
        """
        a, b = self.join("a", "b")
        self.advance(0.2)
        fired(a.leave())
        self.advance(10)
        self.assertEqual((a.leads, b.leads, a.connected), (False, True, False))
        self.assertTrue(a.state.left)
        self.assertEqual([each.name for each in b.state.members], ["b"])
        a.join()
        self.advance(0.2)
        self.assertTrue(a.connected)
        self.assertEqual([each.name for each in b.state.members], ["a", "b"])

    def test_stuck(self) -> None:
        """
        A member that stops waits for etcd within bounds.
        """
        (a,) = self.join("a")
        self.advance(0.2)
        self.clients["a"].stuck = True
        stopped = a.stopService()
        self.assertNoResult(stopped)
        self.advance(3)
        fired(stopped)
