"""
Tests for L{txlb.schedulers._maglev}.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.errors import ModelError, StateError
from txlb.model import ProxyGroup, ProxyHost
from txlb.pool import HostPool
from txlb.schedulers import Maglev
from txlb.schedulers._maglev import FREE, MAX_HOSTS, SIZE, SLICE, Filling
from txlb.testing import FakeHost

CLIENTS = [(f"198.51.{number // 250}.{number % 250}", number) for number in range(1_000)]


class MaglevTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 100.0
        #: How much the clock goes on with each look at it.
        self.pace = 0.0

    def seconds(self) -> float:
        self.now += self.pace
        return self.now

    def policy(self, hosts: list[FakeHost], boundedLoad: float = 0.0) -> Maglev:
        scheduler = Maglev(Random(1), boundedLoad=boundedLoad, seconds=self.seconds)
        for host in hosts:
            scheduler.hostAdded(host)
        return scheduler

    def settle(self, scheduler: Maglev) -> int:
        """
        Let time go by until there is nothing to do.

        @return: how many slices that took.
        """
        for slices in range(100_000):
            deadline = scheduler.nextDeadline()
            if deadline is None:
                return slices
            self.now = max(self.now, deadline)
            scheduler.advance(self.now)
        raise AssertionError("there is no end to it")

    def homes(self, scheduler: Maglev) -> dict[str, str]:
        return {client[0]: cast(FakeHost, scheduler.nextHost(client)).name for client in CLIENTS}


class TableTests(MaglevTestCase):
    @settings(max_examples=20)
    @given(st.lists(st.integers(1, 50), min_size=1, max_size=12))
    def test_shares(self, weights: list[int]) -> None:
        """
        Entries are shared by weight as exactly as whole numbers can be.
        """
        table = Filling({("s", "g", f"h{n}"): float(w) for n, w in enumerate(weights)}, 2003)
        self.assertTrue(table.work(lambda: 0.0))
        counts = Counter(table.entries)
        self.assertNotIn(FREE, counts)
        for number, key in enumerate(table.hosts):
            share = 2003 * table.weights[key] / sum(weights)
            self.assertLess(abs(counts[number] - share), len(weights))

    def test_disruption(self) -> None:
        """
        When one of n hosts has gone for good, at most 2/n of all entries are
        another's than before: nearly only its own.
        """
        for count in (5, 25, 100):
            hosts = [FakeHost(f"h{number}") for number in range(count)]
            scheduler = self.policy(hosts)
            self.settle(scheduler)
            before = [scheduler._of[number] for number in scheduler._entries]
            scheduler.hostRemoved(hosts[count // 2])
            self.settle(scheduler)
            after = [scheduler._of[number] for number in scheduler._entries]
            moved = sum(one != other for one, other in zip(before, after, strict=True))
            self.assertLessEqual(moved, 2 * SIZE / count, count)
            self.assertGreaterEqual(moved, SIZE // count - 1)

    def test_order(self) -> None:
        """
        The table of the same hosts is the same, whoever came first.
        """
        hosts = [FakeHost(f"h{number}", 1 + number % 3) for number in range(7)]
        one, other = self.policy(hosts), self.policy(hosts[::-1])
        self.settle(one)
        self.settle(other)
        self.assertEqual(self.homes(one), self.homes(other))


class TimeTests(MaglevTestCase):
    def test_slices(self) -> None:
        """
        A table is filled in slices, and until it is full the old one serves.
        """
        hosts = [FakeHost(f"h{number}") for number in range(4)]
        scheduler = self.policy(hosts)
        self.settle(scheduler)
        old = scheduler._entries
        late = FakeHost("late")
        scheduler.hostAdded(late)
        self.pace = SLICE / 3
        self.now += 10
        scheduler.advance(self.now)
        for _ in range(20):
            self.assertIs(scheduler._entries, old)
            self.assertNotIn("late", self.homes(scheduler).values())
            deadline = scheduler.nextDeadline()
            assert deadline is not None
            # Between two slices others have their turn.
            before = deadline - 1e-9
            scheduler.advance(before)
            self.assertEqual(scheduler.nextDeadline(), deadline)
            scheduler.advance(deadline)
        self.assertGreater(self.settle(scheduler), 10)
        self.assertIn("late", self.homes(scheduler).values())

    def test_onceASecond(self) -> None:
        """
        However often hosts change, a table is begun once a second.
        """
        host = FakeHost("a", 10)
        scheduler = self.policy([host, FakeHost("b")])
        scheduler.advance(self.now)
        tables = {id(scheduler._entries): scheduler._entries}
        for number in range(400):
            self.now += 0.01
            host.effectiveWeight = 1.0 + number % 9
            scheduler.hostChanged(host)
            scheduler.advance(self.now)
            tables[id(scheduler._entries)] = scheduler._entries
        self.assertLessEqual(len(tables), 5)
        self.assertGreaterEqual(len(tables), 4)

    def test_nothingToDo(self) -> None:
        """
        Where whoever went is back, or nothing changed, no table is made.
        """
        hosts = [FakeHost("a"), FakeHost("b")]
        scheduler = self.policy(hosts)
        self.settle(scheduler)
        table = scheduler._entries
        self.now += 5
        scheduler.advance(self.now)
        hosts[0].active = 3
        scheduler.hostChanged(hosts[0])
        self.assertIsNone(scheduler.nextDeadline())
        scheduler.hostRemoved(hosts[0])
        scheduler.hostAdded(hosts[0])
        self.assertEqual(self.settle(scheduler), 1)
        self.assertIs(scheduler._entries, table)
        for host in hosts:
            scheduler.hostRemoved(host)
        self.settle(scheduler)
        self.assertIsNone(scheduler.nextHost("192.0.2.1"))

    def test_pool(self) -> None:
        """
        A pool says when it is due and has it done by C{advance}, and never on a
        pick.
        """
        hosts = [ProxyHost(name, "10.0.0.1", 80) for name in "abc"]
        pool = HostPool("maglev", hosts, boundedLoad=1.5, seconds=self.seconds)
        scheduler = pool.scheduler
        assert isinstance(scheduler, Maglev)
        self.assertEqual(scheduler._bound.factor, 1.5)
        self.now += 5
        with pool.acquire("192.0.2.1"):
            self.assertEqual(scheduler._entries, ())
        deadline = pool.nextDeadline()
        assert deadline is not None
        self.assertLessEqual(deadline, self.now)
        pool.advance(self.now)
        self.assertEqual(len(scheduler._entries), SIZE)
        self.assertIsNone(pool.nextDeadline())


class PickTests(MaglevTestCase):
    def test_leaver(self) -> None:
        """
        A host that has gone is not taken from the old table, its clients go to
        several others, and nobody else moves.
        """
        hosts = [FakeHost(f"h{number}") for number in range(5)]
        scheduler = self.policy(hosts)
        self.settle(scheduler)
        before = self.homes(scheduler)
        scheduler.hostRemoved(hosts[2])
        after = self.homes(scheduler)
        moved = {client for client in before if before[client] != after[client]}
        self.assertEqual({before[client] for client in moved}, {"h2"})
        self.assertEqual({after[client] for client in moved}, {"h0", "h1", "h3", "h4"})
        scheduler.hostAdded(hosts[2])
        self.assertEqual(self.homes(scheduler), before)

    def test_noTable(self) -> None:
        """
        Before the first table, and where nobody of it is there, clients have
        their hosts as well, and only those of a host that goes move.
        """
        hosts = [FakeHost(f"h{number}") for number in range(5)]
        scheduler = self.policy(hosts)
        before = self.homes(scheduler)
        scheduler.hostRemoved(hosts[0])
        after = self.homes(scheduler)
        moved = {before[client] for client in before if before[client] != after[client]}
        self.assertEqual(moved, {"h0"})
        self.settle(scheduler)
        for host in hosts[1:]:
            scheduler.hostRemoved(host)
        scheduler.hostAdded(FakeHost("new"))
        self.assertEqual(set(self.homes(scheduler).values()), {"new"})

    def test_excluded(self) -> None:
        """
        An excluded host is passed over; where all are, nobody is chosen.
        """
        hosts = [FakeHost(f"h{number}") for number in range(3)]
        scheduler = self.policy(hosts)
        self.settle(scheduler)
        for client in CLIENTS[:50]:
            first = cast(FakeHost, scheduler.nextHost(client))
            second = scheduler.nextHost(client, frozenset({first.key}))
            self.assertEqual(
                list(scheduler.explain(client))[:2],
                [first.key, cast(FakeHost, second).key],
            )
        everybody = frozenset(host.key for host in hosts)
        self.assertIsNone(scheduler.nextHost(CLIENTS[0], everybody))

    def test_bounded(self) -> None:
        """
        With a bound no host has more than its share allows, though all clients
        want the same one, but where the others are excluded.
        """
        hosts = [FakeHost(name) for name in "abcd"]
        scheduler = self.policy(hosts, 1.25)
        self.settle(scheduler)
        for _ in range(400):
            pick = cast(FakeHost, scheduler.nextHost("192.0.2.1"))
            pick.active += 1
            scheduler.hostChanged(pick)
        most = max(hosts, key=lambda host: host.active)
        self.assertIn(most.active, {125, 126})
        others = frozenset(host.key for host in hosts if host is not most)
        self.assertIs(scheduler.nextHost("192.0.2.1", others), most)


class LimitTests(MaglevTestCase):
    def test_tooMany(self) -> None:
        """
        It takes 1,000 hosts; a group of more says what is wrong.
        """
        hosts = [FakeHost(f"h{number}") for number in range(MAX_HOSTS + 1)]
        scheduler = self.policy(hosts[:-1])
        error = self.assertRaises(ModelError, scheduler.hostAdded, hosts[-1])
        self.assertIn("takes at most 1000 hosts", str(error))
        configured = [ProxyHost(f"h{number}", "10.0.0.1", 80) for number in range(MAX_HOSTS + 1)]
        self.assertEqual(len(ProxyGroup("g", "maglev", hosts=configured[:-1]).hosts), 1000)
        error = self.assertRaises(ModelError, ProxyGroup, "g", "maglev", hosts=configured)
        self.assertEqual(
            str(error),
            "group 'g' has 1001 hosts, and scheduler 'maglev' takes at most 1000; "
            "choose another scheduler",
        )


class KeptTests(MaglevTestCase):
    """
    Tests of the state for another process.
    """

    def test_sameTable(self) -> None:
        """
        Every client gets its host at once, though one that is out has a part of the table. What
        is left to do is done later.
        """
        hosts = [FakeHost(f"h{number}", 1 + number % 3) for number in range(9)]
        one = self.policy(hosts)
        self.settle(one)
        one.hostRemoved(hosts[4])
        state = one.state()
        self.pace = SLICE
        other = self.policy([host for host in hosts if host is not hosts[4]])
        other.restoring(state)()
        self.assertEqual(self.homes(other), self.homes(one))
        self.assertIsNotNone(other.nextDeadline())
        before = other._entries
        other.restoring(state)()
        self.assertIs(other._entries, before)
        self.pace = 0.0
        self.settle(one)
        self.settle(other)
        self.assertEqual(self.homes(other), self.homes(one))

    def test_nothingToTakeOver(self) -> None:
        """
        Without hosts, or without a table, nothing is taken over. A table of too many is refused.
        """
        empty, fresh = self.policy([]), self.policy([FakeHost("a")])
        empty.restoring({"built": [["a", 1.0]]})()
        self.assertEqual(empty._built, {})
        fresh.restoring(empty.state())()
        self.assertEqual(fresh._built, {})
        many = [[f"h{number}", 1.0] for number in range(MAX_HOSTS + 1)]
        self.assertRaises(StateError, fresh.restoring, {"built": many})
