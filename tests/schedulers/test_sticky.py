"""
Tests for L{txlb.schedulers._sticky}, L{txlb.schedulers._ring} and
L{txlb.schedulers._bounded}.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from hashlib import blake2b
from random import Random
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.schedulers.histories import Group, Step, histories
from txlb.schedulers import Sticky
from txlb.schedulers._ring import Ring
from txlb.schedulers._sticky import REMEMBERED
from txlb.testing import FakeHost

CLIENTS = [(f"198.51.{number // 250}.{number % 250}", number) for number in range(1_000)]

places = st.integers(0, (1 << 40) - 1).map(lambda number: number << 24)


class RingTests(SynchronousTestCase):
    @given(
        st.lists(st.tuples(st.integers(0, 5), places), max_size=120, unique=True),
        st.lists(st.integers(0, 119), max_size=200),
        places,
    )
    def test_naive(self, points: list[tuple[int, int]], gone: list[int], place: int) -> None:
        """
        It is a sorted list of points.
        """
        ring, naive = Ring(), set()
        for owner, where in points:
            ring.add(owner, [where])
            naive.add(where | owner)
        for number in gone:
            if number < len(points):
                owner, where = points[number]
                if where | owner in naive:
                    naive.remove(where | owner)
                    ring.remove(owner, [where])
        ordered = sorted(naive)
        begin = bisect_left(ordered, place)
        wanted = [point & 0xFFFFFF for point in ordered[begin:] + ordered[:begin]]
        self.assertEqual(list(ring.walk(place)), wanted)
        self.assertEqual(ring.ownerAfter(place), wanted[0] if wanted else None)
        self.assertEqual(len(ring), len(ordered))


class NaiveRing(Group):
    """
    Makes the whole ring anew for each pick, of the hosts that are held.
    """

    word = "sticky"

    def __init__(self, boundedLoad: float = 0.0) -> None:
        super().__init__()
        self.factor = boundedLoad
        self.scheduler = self.policy = Sticky(Random(1), points=64, boundedLoad=boundedLoad)
        self.clients = Random(7)

    def order(self, client: str) -> list[FakeHost]:
        points = []
        for host in self.held.values():
            count = max(round(host.effectiveWeight * self.policy._scale), 1)
            name = "/".join(host.key).encode()
            for batch in range(count // 8 + 1):
                digest = blake2b(name, digest_size=64, salt=batch.to_bytes(8, "little")).digest()
                for number in range(8):
                    if batch * 8 + number < count:
                        point = int.from_bytes(digest[number * 8 :][:8], "little")
                        points.append((point >> 24, host.name, host))
        points.sort(key=lambda point: point[:2])
        place = int.from_bytes(blake2b(client.encode(), digest_size=8).digest(), "little") >> 24
        begin = bisect_left([point[0] for point in points], place)
        order = dict.fromkeys(point[1] for point in points[begin:] + points[:begin])
        return [self.held[name] for name in order]

    def hasRoom(self, host: FakeHost) -> bool:
        if not self.factor:
            return True
        active = sum(each.active for each in self.held.values())
        weight = sum(each.effectiveWeight for each in self.held.values())
        most = self.factor * (active + 1) * host.effectiveWeight / weight
        return host.active < math.ceil(most - 1e-9)

    def picked(self, pick: FakeHost | None, candidates: list[FakeHost]) -> None:
        order = self.order("192.0.2.1")
        left = [host for host in order if host in candidates]
        fitting = [host for host in left if self.hasRoom(host)]
        assert pick is next(iter(fitting + left), None), (pick, left)
        explained = self.policy.explain("192.0.2.1")
        ranked = [host for host in order if self.hasRoom(host)]
        ranked += [host for host in order if not self.hasRoom(host)]
        assert list(explained) == [host.key for host in ranked]
        held = sum(owner.points for owner in self.policy._owners.values())
        assert len(self.policy._ring) == held
        assert len(self.policy._gone) <= max(REMEMBERED, 2 * len(self.held))


def policy(hosts: list[FakeHost], boundedLoad: float = 0.0) -> Sticky:
    """
    A policy that holds these.
    """
    scheduler = Sticky(Random(1), boundedLoad=boundedLoad)
    for host in hosts:
        scheduler.hostAdded(host)
    return scheduler


def homes(scheduler: Sticky) -> dict[str, str]:
    """
    The name of the host of each client.
    """
    return {client[0]: cast(FakeHost, scheduler.nextHost(client)).name for client in CLIENTS}


class StickyTests(SynchronousTestCase):
    @settings(max_examples=40)
    @given(histories)
    def test_naive(self, history: list[Step]) -> None:
        """
        Whatever happens, it chooses as one that makes its whole ring anew.
        """
        NaiveRing().follow(history)

    @settings(max_examples=40)
    @given(histories)
    def test_naiveBounded(self, history: list[Step]) -> None:
        """
        The same with a bound.
        """
        NaiveRing(1.25).follow(history)

    def test_sameHost(self) -> None:
        """
        A client has one host, whatever port it comes from; its address may also
        be given alone, or as a list.
        """
        scheduler = policy([FakeHost(name) for name in "abcde"])
        for number in range(20):
            address = f"203.0.113.{number}"
            first = scheduler.nextHost((address, 1))
            for client in ((address, 2), [address, 3], (address, 4, 0, 0), address):
                self.assertIs(scheduler.nextHost(client), first)
        self.assertIsNotNone(scheduler.nextHost(None))
        self.assertIsNotNone(scheduler.nextHost(()))

    def test_sameEverywhere(self) -> None:
        """
        Another balancer with the same hosts, which it got to know in another
        order, sends clients to the same ones; so does this one at any other time.
        """
        hosts = [FakeHost(f"h{number}", 1 + number) for number in range(6)]
        self.assertEqual(homes(policy(hosts)), homes(policy(hosts[::-1])))
        known = [homes(policy(hosts))[client[0]] for client in CLIENTS[:8]]
        self.assertEqual(known, ["h2", "h2", "h2", "h3", "h3", "h5", "h1", "h2"])

    @given(st.integers(0, 4))
    def test_leaver(self, place: int) -> None:
        """
        A host that goes moves its own clients and nobody else, and gets them
        back when it returns.
        """
        hosts = [
            FakeHost(name, weight) for name, weight in zip("abcde", (1, 2, 1, 5, 1), strict=True)
        ]
        scheduler = policy(hosts)
        before = homes(scheduler)
        gone = hosts[place]
        scheduler.hostRemoved(gone)
        after = homes(scheduler)
        for client, home in before.items():
            if home == gone.name:
                self.assertNotEqual(after[client], gone.name)
            else:
                self.assertEqual(after[client], home)
        scheduler.hostAdded(gone)
        self.assertEqual(homes(scheduler), before)

    def test_forgotten(self) -> None:
        """
        Of many hosts that have gone only the last keep their points; nobody
        else's client moves by that, and one that comes back is as before.
        """
        hosts = [FakeHost(f"h{number}") for number in range(60)]
        scheduler = policy(hosts)
        before = homes(scheduler)
        for host in hosts[:58]:
            scheduler.hostRemoved(host)
        self.assertEqual(len(scheduler._owners), 2 + REMEMBERED)
        self.assertEqual(set(homes(scheduler).values()), {"h58", "h59"})
        for host in hosts[:58]:
            scheduler.hostAdded(host)
        self.assertEqual(homes(scheduler), before)
        self.assertEqual(len(scheduler._hostOf), 60)

    def test_shrunk(self) -> None:
        """
        Where much more was there at one time, a host that is new brings the
        points back to as many as are good.
        """
        hosts = [FakeHost(f"h{number}", 100) for number in range(100)]
        scheduler = policy(hosts)
        homes(scheduler)
        for host in hosts:
            scheduler.hostRemoved(host)
        scheduler.explain(None)
        self.assertLess(len(scheduler._ring), 8000)
        for name in "abc":
            scheduler.hostAdded(FakeHost(name, 1))
        homes(scheduler)
        self.assertGreaterEqual(len(scheduler._ring), 16384)
        self.assertEqual(len(scheduler._owners), 3)

    def test_raisedWeight(self) -> None:
        """
        A host that gets more weight takes clients over and loses none.
        """
        hosts = [FakeHost(name, 2) for name in "abc"]
        hosts[0].effectiveWeight = 1.0
        scheduler = policy(hosts)
        before = homes(scheduler)
        hosts[0].effectiveWeight = 2.0
        scheduler.hostChanged(hosts[0])
        after = homes(scheduler)
        moved = {client for client in before if before[client] != after[client]}
        self.assertEqual({after[client] for client in moved}, {"a"})
        self.assertGreater(len(moved), 0)

    def test_manyHosts(self) -> None:
        """
        Of a thousand hosts each has its share of the ring within a factor of
        two, which is what 32 points and more give.
        """
        hosts = [FakeHost(f"h{number}") for number in range(1000)]
        scheduler = policy(hosts)
        scheduler.settle(everything=True)
        owned: Counter[int] = Counter()
        last = 0
        points = [point for part in scheduler._ring._parts for point in part]
        for point in points:
            owned[point & 0xFFFFFF] += point - last
            last = point
        owned[points[0] & 0xFFFFFF] += (1 << 64) - last
        shares = [1000 * owned[number] / (1 << 64) for number in range(1000)]
        self.assertTrue(all(0.4 < share < 2.0 for share in shares), (min(shares), max(shares)))

    def test_slices(self) -> None:
        """
        If an owner of the policy works on its ring, no slice of that puts more than 2,048 points on
        it or takes them away, and picks in between do not wait for it. In the end the ring is
        that of a policy which was made at once.
        """
        hosts = [FakeHost(f"h{number}") for number in range(2000)]
        scheduler = Sticky(Random(1))
        scheduler.settle(everything=True)
        for host in hosts:
            scheduler.hostAdded(host)
        self.assertEqual(len(scheduler._ring), 0)
        scheduler.settle(everything=False)
        self.assertEqual(len(scheduler._ring), 6_384)
        now, slices = 5.0, 0
        while (when := scheduler.nextDeadline()) is not None:
            now = max(now, when)
            before = len(scheduler._ring)
            self.assertIn(scheduler.nextHost("192.0.2.1"), hosts)
            self.assertEqual(len(scheduler._ring), before)
            scheduler.advance(now)
            self.assertLessEqual(len(scheduler._ring) - before, 2048)
            slices += 1
        self.assertEqual(len(scheduler._ring), 64_000)
        self.assertEqual(slices, 29)
        self.assertEqual(homes(scheduler), homes(policy(hosts)))
        # A weight like this makes nearly all points too many.
        hosts[7].weight = hosts[7].effectiveWeight = 60_000
        scheduler.hostChanged(hosts[7])
        before = len(scheduler._ring)
        scheduler.settle(everything=False)
        self.assertLessEqual(abs(len(scheduler._ring) - before), 16_384)
        while (when := scheduler.nextDeadline()) is not None:
            scheduler.advance(when)
        self.assertEqual(homes(scheduler), homes(policy(hosts)))

    def test_firstPick(self) -> None:
        """
        A pick from a ring without a point puts some on it, and no more.
        """
        scheduler = Sticky(Random(1))
        scheduler.settle(everything=True)
        for number in range(2000):
            scheduler.hostAdded(FakeHost(f"h{number}"))
        self.assertIsNotNone(scheduler.nextHost("192.0.2.1"))
        self.assertEqual(len(scheduler._ring), 2048)

    def test_notComplete(self) -> None:
        """
        While points are still to come, each host has some of them or is at the end of the order,
        so that a client gets any host that is not excluded.
        """
        for count in (3, 4000):
            hosts = [FakeHost(f"h{number}") for number in range(count)]
            scheduler = Sticky(Random(1))
            scheduler.settle(everything=True)
            for host in hosts:
                scheduler.hostAdded(host)
            scheduler.settle(everything=False)
            self.assertIsNotNone(scheduler.nextDeadline())
            self.assertEqual(set(scheduler.explain("192.0.2.1")), {host.key for host in hosts})
            last = frozenset(host.key for host in hosts[:-1])
            self.assertIs(scheduler.nextHost("192.0.2.1", last), hosts[-1])

    def test_droppedMeanwhile(self) -> None:
        """
        A host that goes for good and comes back while its points are still to be taken from the
        ring has the same clients as before.
        """
        hosts = [FakeHost(f"h{number}") for number in range(2000)]
        scheduler = policy(hosts)
        before = homes(scheduler)
        scheduler.settle(everything=True)
        for host in hosts[:1990]:
            scheduler.hostRemoved(host)
        for host in hosts[:1990]:
            scheduler.hostAdded(host)
        scheduler.settle(everything=True)
        self.assertEqual(homes(scheduler), before)

    def test_excludedGoesToTheNext(self) -> None:
        """
        Where a client's host is excluded, it goes where it would without it.
        """
        hosts = [FakeHost(name) for name in "abc"]
        scheduler = policy(hosts)
        first = cast(FakeHost, scheduler.nextHost(("192.0.2.7", 1)))
        second = scheduler.nextHost(("192.0.2.7", 1), frozenset({first.key}))
        scheduler.hostRemoved(first)
        self.assertIs(scheduler.nextHost(("192.0.2.7", 1)), second)
        everybody = frozenset(host.key for host in hosts)
        self.assertIsNone(scheduler.nextHost(("192.0.2.7", 1), everybody))

    def test_bounded(self) -> None:
        """
        With a bound no host has more than its share allows, though most
        clients want the same one; without it that one has them all.
        """
        for factor, most in ((0.0, 400), (1.25, 126), (2.0, 201)):
            hosts = [FakeHost(name) for name in "abcd"]
            scheduler = policy(hosts, factor)
            for _ in range(400):
                pick = cast(FakeHost, scheduler.nextHost(("192.0.2.7", 1)))
                pick.active += 1
                scheduler.hostChanged(pick)
            self.assertLessEqual(max(host.active for host in hosts), most)
            self.assertGreaterEqual(max(host.active for host in hosts), min(most - 3, 400))
