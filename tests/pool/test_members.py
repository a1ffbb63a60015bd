"""
Tests for the hosts of a pool: how they come and go, their weights, their room
and their addresses.
"""

from __future__ import annotations

from collections import Counter
from random import Random

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.pool.kit import REFUSED, Bench
from txlb.errors import DuplicateName, ModelError, NoHostAvailable, UnknownName
from txlb.interfaces import IHost
from txlb.model import ProxyHost, TCPAddress
from txlb.pool import DialLimits, Event, EventKind, HostPool


class MembersTests(SynchronousTestCase):
    def test_add(self) -> None:
        bench = Bench("a")
        bench.pool.acquire()
        added = bench.pool.addHost(ProxyHost("b", "127.0.0.1", 7001))
        self.assertTrue(verifyObject(IHost, added))
        self.assertEqual(bench.pool.acquire().host, added)
        self.assertEqual([host.name for host in bench.pool.hosts], ["a", "b"])
        (event,) = bench.events
        self.assertEqual(
            event,
            Event(
                EventKind.HOST_ADDED,
                ("web", "g", "b"),
                "added at 127.0.0.1:7001",
                1000.0,
                {
                    "before": None,
                    "after": added.settings,
                },
            ),
        )

    def test_addTwice(self) -> None:
        bench = Bench("a")
        error = self.assertRaises(DuplicateName, bench.pool.addHost, ProxyHost("a", "::1", 1))
        self.assertEqual(str(error), "group 'g' of service 'web' has a host 'a' already")
        self.assertEqual(str(bench.pool.getHost("a").address), "127.0.0.1:7000")
        self.assertEqual(bench.told(), [])

    def test_removeIdle(self) -> None:
        """
        A host without connections is gone at once.
        """
        bench = Bench("a", "b")
        bench.pool.removeHost("a")
        self.assertEqual(bench.told(), ["host-removed a", "host-gone a"])
        self.assertEqual(bench.pool.leaving, [])
        self.assertEqual({bench.pool.acquire().host.name for _ in range(3)}, {"b"})

    def test_removeBusy(self) -> None:
        """
        One with connections lives until they end; its name is free at once, and
        a new host of that name has nothing to do with it.
        """
        bench = Bench("a")
        leases = [bench.pool.acquire() for _ in range(2)]
        old = bench.pool.removeHost("a")
        self.assertEqual([event.message for event in bench.events], ["removed, 2 connections left"])
        self.assertEqual(bench.told(), ["host-removed a"])
        self.assertRaises(NoHostAvailable, bench.pool.acquire)
        new = bench.pool.addHost(ProxyHost("a", "127.0.0.1", 8000))
        bench.told()
        self.assertEqual(new.key, old.key)
        self.assertEqual((old.stateWord, new.stateWord), ("leaving", "unchecked"))
        lease = bench.pool.acquire()
        self.assertIs(lease.host, new)
        self.assertEqual((old.active, new.active, bench.pool.active), (2, 1, 3))
        leases[0].add(0, 5)
        leases[0].release()
        self.assertEqual((bench.pool.leaving, bench.told()), ([old], []))
        self.assertEqual((old.counters.bytesOut, new.counters.bytesOut), (5, 0))
        bench.pool.removeHost("a")
        self.assertEqual(bench.pool.leaving, [old, new])
        bench.told()
        leases[1].release()
        self.assertEqual((bench.pool.leaving, bench.told()), ([new], ["host-gone a"]))
        lease.release()
        self.assertEqual((bench.pool.active, bench.pool.leaving), (0, []))

    def test_releasedMeanwhile(self) -> None:
        """
        Who ends the last connection of a host on hearing that it was removed
        hears once that it is gone.
        """
        bench = Bench("a")
        lease = bench.pool.acquire()
        told: list[str] = []

        def publish(event: Event) -> None:
            told.append(event.kind.value)
            if event.kind is EventKind.HOST_REMOVED:
                lease.release()

        bench.pool._announcer.publish = publish
        bench.pool.removeHost("a")
        self.assertEqual(told, ["host-removed", "host-gone"])
        self.assertEqual((bench.pool.leaving, bench.pool.active), ([], 0))

    def test_removedTrial(self) -> None:
        """
        A host that is removed during its trial comes back for nobody.
        """
        bench = Bench("a", whenAllDown="close")
        bench.fell("a")
        bench.now += 1
        attempt = bench.attempt()
        bench.pool.removeHost("a")
        bench.told()
        attempt.connected().release()
        self.assertEqual(bench.told(), ["host-gone a"])
        self.assertEqual((bench.pool.readyCount, bench.pool.active), (0, 0))


class WeightTests(SynchronousTestCase):
    def test_drain(self) -> None:
        """
        With weight 0 a host gets nothing new; what it has goes on.
        """
        bench = Bench("a", "b")
        lease = bench.pool.acquire()
        self.assertEqual(lease.host.name, "a")
        bench.pool.setWeight("a", 0)
        self.assertEqual((bench.state("a"), lease.host.active), ("drain", 1))
        self.assertEqual({bench.pool.acquire().host.name for _ in range(4)}, {"b"})
        lease.release()
        self.assertEqual(bench.state("a"), "drain")
        bench.pool.setWeight("a", 2)
        self.assertEqual(bench.state("a"), "up")
        self.assertEqual(bench.pool.acquire().host.name, "a")
        self.assertEqual(
            [event.message for event in bench.events], ["weight 1 -> 0", "weight 0 -> 2"]
        )
        self.assertEqual(bench.told(), ["host-weight a", "host-weight a"])

    def test_shares(self) -> None:
        """
        A new weight counts from the next choice on.
        """
        bench = Bench("a", "b", scheduler="roundr")
        bench.pool.setWeight("b", 3)
        had = Counter(bench.pool.acquire().host.name for _ in range(40))
        self.assertEqual(had, {"a": 10, "b": 30})

    def test_same(self) -> None:
        bench = Bench("a")
        bench.pool.setWeight("a", 1)
        self.assertEqual(bench.told(), [])

    def test_rule(self) -> None:
        bench = Bench("a")
        for wrong in (-1, 65536, "3", None):
            error = self.assertRaises(ModelError, bench.pool.setWeight, "a", wrong)
            self.assertIn("weight of host 'a' is", str(error))
        self.assertEqual((bench.state("a"), bench.told()), ("unchecked", []))

    def test_addedDrained(self) -> None:
        pool = HostPool("weightlc", [ProxyHost("a", "127.0.0.1", 1, 0)])
        self.assertEqual((pool.readyCount, pool.getHost("a").stateWord), (0, "drain"))
        pool.setWeight("a", 5)
        self.assertEqual(pool.acquire().host.effectiveWeight, 5.0)


class RoomTests(SynchronousTestCase):
    def test_full(self) -> None:
        """
        A host has no more connections than it takes, one being opened is one.
        """
        bench = Bench("b")
        bench.pool.addHost(ProxyHost("a", "127.0.0.1", 1, 10, 2))
        bench.pool.setWeight("b", 0)
        attempt, lease = bench.attempt(), bench.pool.acquire()
        self.assertEqual((bench.state("a"), bench.pool.readyCount), ("full", 0))
        self.assertRaises(NoHostAvailable, bench.pool.acquire)
        lease.release()
        self.assertEqual(bench.state("a"), "up")
        again = bench.pool.acquire()
        self.assertEqual(again.host.active, 2)
        attempt.cancel()
        again.release()
        self.assertEqual(bench.pool.active, 0)

    def test_fullEverywhere(self) -> None:
        """
        So it is under every policy.
        """
        for word in ("rand", "roundr", "leastc", "weightr", "weightlc", "sticky"):
            hosts = [ProxyHost(name, "127.0.0.1", 1, 3, 2) for name in "abc"]
            pool = HostPool(word, hosts, random=Random(2))
            leases = [pool.acquire() for _ in range(6)]
            self.assertEqual([host.active for host in pool.hosts], [2, 2, 2], word)
            self.assertRaises(NoHostAvailable, pool.acquire)
            leases[0].release()
            self.assertIs(pool.acquire().host, leases[0].host)


class AddressTests(SynchronousTestCase):
    def test_unresolved(self) -> None:
        """
        A host whose name has no address yet gets nobody, until it has one.
        """
        bench = Bench()
        bench.pool.addHost(ProxyHost("a", "web.example", 80))
        self.assertEqual((bench.state("a"), bench.pool.readyCount), ("unresolved", 0))
        self.assertRaises(NoHostAvailable, bench.pool.acquire)
        bench.pool.reportUnresolved("a", "no such name")
        self.assertEqual(
            bench.events[-1].message,
            "web.example can't be resolved (no such name); it is down until it has an address",
        )
        bench.pool.setAddresses("a", [TCPAddress("192.0.2.1", 80), TCPAddress("192.0.2.2", 80)])
        self.assertEqual(bench.state("a"), "unchecked")
        self.assertEqual(bench.events[-2].message, "is at 192.0.2.1:80, 192.0.2.2:80")
        self.assertEqual(
            bench.told(),
            ["host-added a", "group-down g", "host-unresolved a", "host-resolved a", "group-up g"],
        )
        self.assertEqual(str(bench.attempt().address), "192.0.2.1:80")

    def test_lastGoodAnswer(self) -> None:
        """
        A look-up that fails or finds nothing takes nothing away.
        """
        bench = Bench()
        bench.pool.addHost(ProxyHost("a", "web.example", 80))
        bench.pool.setAddresses("a", [TCPAddress("192.0.2.1", 80)])
        bench.told()
        bench.pool.setAddresses("a", [])
        bench.pool.reportUnresolved("a", "timeout")
        self.assertEqual(
            bench.events[-1].message,
            "web.example can't be resolved (timeout); the last answer is kept",
        )
        self.assertEqual((bench.state("a"), bench.told()), ("unchecked", ["host-unresolved a"]))
        self.assertEqual(str(bench.attempt().address), "192.0.2.1:80")

    def test_sameAnswer(self) -> None:
        """
        The same addresses in another order are no change.
        """
        bench = Bench("a")
        one, other = TCPAddress("192.0.2.1", 80), TCPAddress("192.0.2.2", 80)
        bench.pool.setAddresses("a", [one, other])
        bench.told()
        bench.pool.setAddresses("a", [other, one])
        self.assertEqual((bench.told(), bench.attempt().address), ([], one))

    def test_rotation(self) -> None:
        """
        Where one address can't be reached the next client gets the next one.
        """
        bench = Bench("a", passiveFall=100)
        addresses = [TCPAddress(f"192.0.2.{number}", 80) for number in (1, 2, 3)]
        bench.pool.setAddresses("a", addresses)
        found = []
        for _ in range(4):
            attempt = bench.attempt()
            found.append(attempt.address)
            attempt.failed(REFUSED)
        self.assertEqual(found, [*addresses, addresses[0]])
        attempt = bench.attempt()
        attempt.connected()
        self.assertEqual(bench.attempt().address, attempt.address)
        bench.pool.setAddresses("a", addresses[:1])
        self.assertEqual(bench.attempt().address, addresses[0])

    def test_reached(self) -> None:
        """
        Where a relay has reached a host the next client begins; an attempt has all
        addresses, its own first.
        """
        bench = Bench("a")
        addresses = tuple(TCPAddress(f"192.0.2.{number}", 80) for number in (1, 2, 3))
        bench.pool.setAddresses("a", addresses)
        attempt = bench.attempt()
        self.assertEqual(attempt.addresses, addresses)
        attempt.reached(addresses[1])
        attempt.connected()
        self.assertEqual(attempt.address, addresses[1])
        second = bench.attempt()
        self.assertEqual(second.addresses, (addresses[1], addresses[2], addresses[0]))
        second.reached(addresses[1])
        self.assertEqual(bench.attempt().address, addresses[1])
        bench.pool.reportReached("a", addresses[2])
        self.assertEqual(bench.attempt().address, addresses[2])
        self.assertRaises(UnknownName, bench.pool.reportReached, "b", addresses[2])

    def test_reachedTooLate(self) -> None:
        """
        An address that is no longer the host's is no place for others.
        """
        bench = Bench("a")
        old, new = TCPAddress("192.0.2.1", 80), TCPAddress("192.0.2.9", 80)
        bench.pool.setAddresses("a", [old, new])
        attempt = bench.attempt()
        bench.pool.setAddresses("a", [new])
        self.assertEqual(attempt.addresses, (old,))
        attempt.reached(old)
        attempt.connected()
        self.assertEqual(bench.attempt().address, new)

    def test_timeOfSeveral(self) -> None:
        """
        A host with several addresses may be tried as long as the search may last.
        """
        bench = Bench("a")
        attempt = bench.attempt(DialLimits(connectTimeout=2, dialTimeout=7))
        self.assertEqual((attempt.deadline, attempt.latest), (1002.0, 1007.0))
        self.assertEqual(attempt.dial.limits, DialLimits(2, 7))
        attempt.deadline = 1009.0
        self.assertEqual(attempt.latest, 1009.0)
