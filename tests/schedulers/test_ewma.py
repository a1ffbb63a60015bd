"""
Tests for L{txlb.schedulers._ewma}.
"""

from __future__ import annotations

import math
from collections import Counter
from random import Random
from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txlb.model import ProxyHost
from txlb.pool import DialLimits, Failure, FailureKind, HostPool
from txlb.schedulers import PeakEwma
from txlb.testing import FakeHost

samples = st.lists(
    st.tuples(st.floats(0.0, 50.0), st.floats(0.0001, 10.0)), min_size=1, max_size=30
)


class EwmaTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 100.0

    def policy(self, hosts: list[FakeHost], decay: float = 10.0) -> PeakEwma:
        scheduler = PeakEwma(Random(5), decay=decay, seconds=lambda: self.now)
        for host in hosts:
            scheduler.hostAdded(host)
        return scheduler


class AverageTests(EwmaTestCase):
    @given(samples)
    def test_asFinagle(self, history: list[tuple[float, float]]) -> None:
        """
        It is what Finagle's metric is, which is looked at before each sample:
        the look is a sample of nothing.
        """
        host = FakeHost("a")
        scheduler = self.policy([host])
        cost, stamp = 0.0, self.now

        def observe(took: float) -> None:
            nonlocal cost, stamp
            left = math.exp(-(self.now - stamp) / 10.0)
            cost = took if took > cost else cost * left + took * (1 - left)
            stamp = self.now

        for wait, took in history:
            self.now += wait
            before = stamp
            observe(0.0)
            self.assertTrue(math.isclose(scheduler.average(host), cost, abs_tol=1e-300))
            # Finagle's own second observation would see no time between them.
            left = math.exp(-(self.now - before) / 10.0)
            cost = max(took, cost + took * (1 - left))
            scheduler.hostSampled(host, took)
            self.assertTrue(math.isclose(scheduler.average(host), cost))

    def test_peak(self) -> None:
        """
        A peak counts at once, and in full; afterwards the average comes down
        towards what is measured, and without samples towards nothing.
        """
        host = FakeHost("a")
        scheduler = self.policy([host])
        scheduler.hostSampled(host, 0.001)
        self.now += 1
        scheduler.hostSampled(host, 2.0)
        self.assertEqual(scheduler.average(host), 2.0)
        self.now += 10
        self.assertAlmostEqual(scheduler.average(host), 2.0 / math.e)
        for _ in range(2000):
            self.now += 0.1
            scheduler.hostSampled(host, 0.001)
        self.assertTrue(0.001 <= scheduler.average(host) < 0.0011)

    def test_clockGoesBack(self) -> None:
        """
        A clock that is not as monotonic as it should be makes nothing grow.
        """
        host = FakeHost("a")
        scheduler = self.policy([host])
        scheduler.hostSampled(host, 1.0)
        self.now -= 50
        self.assertEqual(scheduler.average(host), 1.0)
        scheduler.hostSampled(host, 0.5)
        self.assertEqual(scheduler.average(host), 1.0)

    def test_beginning(self) -> None:
        """
        A host that comes back begins with what its last connect took.
        """
        host = FakeHost("a", connectTime=0.25)
        scheduler = self.policy([host])
        self.assertEqual(scheduler.average(host), 0.25)
        scheduler.hostRemoved(host)
        self.assertEqual(scheduler._averages, {})


class PickTests(EwmaTestCase):
    def test_cost(self) -> None:
        """
        The average times connections, the next one included, for the weight; a
        host that has a connection and no time yet is worse than any.
        """
        idle, busy = FakeHost("idle", 2), FakeHost("busy", active=1)
        scheduler = self.policy([idle, busy])
        self.assertEqual(scheduler.cost(idle), 0.0)
        self.assertGreater(scheduler.cost(busy), 1e8)
        scheduler.hostSampled(idle, 0.1)
        idle.active = 3
        self.assertAlmostEqual(scheduler.cost(idle), 0.1 * 4 / 2)
        self.assertEqual(scheduler.explain(None)[idle.key], -scheduler.cost(idle))

    def test_avoidsTheSlow(self) -> None:
        """
        A host that had one bad moment is avoided, and tried again as its average
        comes down, though nobody used it meanwhile.
        """
        hosts = [FakeHost("quick"), FakeHost("unlucky")]
        scheduler = self.policy(hosts)
        scheduler.hostSampled(hosts[0], 0.01)
        scheduler.hostSampled(hosts[1], 0.5)
        tried = 0
        for _ in range(200):
            self.now += 1
            if cast(FakeHost, scheduler.nextHost(None)).name == "unlucky":
                break
            scheduler.hostSampled(hosts[0], 0.01)
            tried += 1
        # e ** (-t / 10) is 0.01 / 0.5 after 39 seconds, and the other's was a
        # second old by then.
        self.assertEqual(tried, 40)

    def test_prefersTheQuick(self) -> None:
        """
        With hosts of unequal speed and connections that stay as long as they
        take, the quick ones have more of them.
        """
        hosts = [FakeHost(f"h{number}") for number in range(8)]
        speed = {host.key: 0.01 if number < 4 else 0.1 for number, host in enumerate(hosts)}
        scheduler = self.policy(hosts)
        counts: Counter[tuple[str, str, str]] = Counter()
        for _ in range(4000):
            self.now += 0.002
            pick = scheduler.nextHost(None)
            assert pick is not None
            counts[pick.key] += 1
            host = next(each for each in hosts if each.key == pick.key)
            scheduler.hostSampled(host, speed[host.key])
        quick = sum(counts[host.key] for host in hosts[:4])
        self.assertGreater(quick, 3000)


class PoolTests(EwmaTestCase):
    """
    What a pool tells it.
    """

    def pool(self, passiveFall: int = 1) -> HostPool:
        hosts = [ProxyHost("a", "10.0.0.1", 80), ProxyHost("b", "10.0.0.2", 80)]
        return HostPool(
            "ewma",
            hosts,
            decay=5.0,
            boundedLoad=1.25,
            passiveFall=passiveFall,
            seconds=lambda: self.now,
            random=Random(2),
        )

    def average(self, pool: HostPool, name: str) -> float:
        scheduler = pool.scheduler
        assert isinstance(scheduler, PeakEwma)
        self.assertEqual(scheduler.decay, 5.0)
        return scheduler.average(pool.getHost(name))

    def test_connected(self) -> None:
        """
        The time that a connect took, even where it is the same as before.
        """
        pool = self.pool()
        for _ in range(2):
            attempt = pool.dial(None, DialLimits()).start()
            name = attempt.host.name  # type: ignore[union-attr]  # there is a host
            self.now += 0.25
            attempt.connected().release()  # type: ignore[union-attr]  # as above
            self.assertEqual(self.average(pool, name), 0.25)

    def test_timedOut(self) -> None:
        """
        A connect that timed out took at least so long; one that was refused
        says nothing.
        """
        for kind, wanted in ((FailureKind.TIMEOUT, 3.0), (FailureKind.REFUSED, 0.0)):
            pool = self.pool(passiveFall=2)
            attempt = pool.dial(None, DialLimits()).start()
            name = attempt.host.name  # type: ignore[union-attr]  # there is a host
            self.now += 3.0
            attempt.failed(Failure(kind))  # type: ignore[union-attr]  # as above
            self.assertEqual(self.average(pool, name), wanted)

    def test_took(self) -> None:
        """
        What work tells of itself.
        """
        pool = self.pool()
        with pool.acquire() as lease:
            lease.took(0.125)
            self.assertEqual(self.average(pool, lease.host.name), 0.125)
            # One that is held no more has no average to be changed.
            pool.removeHost(lease.host.name)
            lease.took(7.0)
        pool = HostPool("leastc", [ProxyHost("a", "10.0.0.1", 80)])
        with pool.acquire() as lease:
            lease.took(1.0)
