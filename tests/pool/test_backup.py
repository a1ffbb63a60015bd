"""
Tests for backup hosts, L{txlb.pool._backup}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.pool.kit import Bench
from txlb.model import ProxyHost, TCPAddress
from txlb.pool import Event, EventKind, HostPool


class BackupTests(SynchronousTestCase):
    def bench(self, **settings: Any) -> Bench:
        bench = Bench("a", "b", **settings)
        bench.pool.addHost(ProxyHost("s", "127.0.0.1", 1, backup=True))
        bench.told()
        return bench

    def up(self, bench: Bench, name: str) -> None:
        """
        A host that is down can be reached again.
        """
        bench.now += 60
        bench.pool.advance(bench.now)
        others = frozenset(host.key for host in bench.pool.hosts if host.name != name)
        lease = bench.pool.claim(None, others)
        assert lease is not None
        bench.pool.reportConnected(lease)
        lease.release()

    def test_used(self) -> None:
        """
        Backup hosts stand by until fewer than C{minimumUp} others are up, and
        until enough have been back for C{holdDown} seconds.
        """
        bench = self.bench(holdDown=10.0)
        self.assertEqual((bench.state("s"), bench.pool.readyCount), ("standby", 2))
        self.assertEqual({bench.pool.acquire().host.name for _ in range(6)}, {"a", "b"})
        bench.fell("a")
        self.assertEqual(bench.state("s"), "standby")
        bench.fell("b")
        self.assertEqual(bench.told(), ["host-down a", "host-down b", "backup-used g"])
        self.assertEqual((bench.state("s"), bench.pool.acquire().host.name), ("unchecked", "s"))
        self.up(bench, "a")
        back = bench.now
        self.assertEqual((bench.told()[-1], bench.state("s")), ("host-up a", "up"))
        self.assertEqual(bench.pool.nextDeadline(), back + 10)
        bench.now = back + 9.9
        bench.pool.advance(bench.now)
        self.assertEqual(bench.state("s"), "up")
        bench.now = back + 10
        bench.pool.advance(bench.now)
        self.assertEqual((bench.told(), bench.state("s")), (["backup-left g"], "standby"))

    def test_notBackForLong(self) -> None:
        """
        A host that is back only for a moment does not end it.
        """
        bench = self.bench(holdDown=10.0)
        for name in "ab":
            bench.fell(name)
        self.up(bench, "a")
        bench.now += 5
        bench.fell("a")
        bench.now += 5
        bench.pool.advance(bench.now)
        self.assertEqual(bench.state("s"), "unchecked")
        self.assertEqual(bench.told().count("backup-used g"), 1)

    def test_minimumUp(self) -> None:
        """
        They are used beside the others.
        """
        bench = self.bench(minimumUp=2)
        bench.fell("a")
        self.assertEqual(bench.told(), ["host-down a", "backup-used g"])
        self.assertEqual({bench.pool.acquire().host.name for _ in range(4)}, {"b", "s"})

    def test_drained(self) -> None:
        """
        A host that people take out counts as not up; so does one without weight.
        """
        bench = self.bench()
        bench.pool.setState("a", "drain")
        bench.pool.setWeight("b", 0)
        self.assertEqual(bench.state("s"), "unchecked")

    def test_fullIsUp(self) -> None:
        """
        A host that is full is up: the backup is for failures.
        """
        bench = Bench(maxQueue=1)
        bench.pool.addHost(ProxyHost("a", "127.0.0.1", 1, 1, 1))
        bench.pool.addHost(ProxyHost("s", "127.0.0.1", 1, backup=True))
        bench.pool.acquire()
        self.assertEqual(bench.state("s"), "standby")

    def test_atOnceBeforeAnybodyAsked(self) -> None:
        """
        Where nobody has asked for a host yet the backup is left at once.
        """
        bench = Bench()
        bench.pool.addHost(ProxyHost("s", "127.0.0.1", 1, backup=True))
        self.assertEqual(bench.state("s"), "unchecked")
        bench.pool.addHost(ProxyHost("a", "127.0.0.1", 1))
        self.assertEqual(bench.state("s"), "standby")

    def test_noBackupLeft(self) -> None:
        """
        Where the last backup host is removed none is used.
        """
        bench = self.bench()
        for name in "ab":
            bench.fell(name)
        bench.pool.removeHost("s")
        self.assertFalse(bench.pool.snapshot().backupUsed)

    def test_allDown(self) -> None:
        """
        With the backup down too, it is said what becomes of clients.
        """
        for word, says in (("try", "sends clients"), ("close", "closes clients")):
            bench = self.bench(whenAllDown=word)
            for name in "abs":
                bench.fell(name)
            event = bench.events[-1]
            self.assertEqual(event.kind, EventKind.GROUP_DOWN)
            self.assertIn(f"whenAllDown={word} {says}", event.message)
            self.assertEqual(bench.pool.snapshot().allDown, word)
            bench.told()
            self.up(bench, "s")
            self.assertIn("group-up g", bench.told())
            self.assertEqual(bench.pool.snapshot().allDown, "")

    def test_nothingToldWhileMade(self) -> None:
        events: list[Event] = []
        pool = HostPool(hosts=[ProxyHost("a", "web.example", 80)], publish=events.append, group="g")
        pool.setAddresses("a", [TCPAddress("192.0.2.1", 80)])
        self.assertEqual([event.kind.value for event in events], ["host-added", "host-resolved"])
