"""
Tests for L{txlb.pool._lease}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.pool.kit import Bench
from txlb.errors import LeaseReleased
from txlb.pool import Outcome


class LeaseTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.bench = Bench("a")
        self.host = self.bench.pool.getHost("a")

    def test_life(self) -> None:
        """
        While it lasts its host has one connection more.
        """
        lease = self.bench.pool.acquire(("192.0.2.1", 5))
        self.assertEqual((self.host.active, lease.outcome), (1, None))
        self.assertEqual((lease.host, lease.since), (self.host, 1000.0))
        self.assertEqual(lease.clientAddr, ("192.0.2.1", 5))
        self.assertFalse(lease.trial)
        lease.release()
        self.assertEqual((self.host.active, lease.outcome), (0, Outcome.DONE))

    def test_bytes(self) -> None:
        """
        Bytes count as they pass, for the lease and for its host.
        """
        lease, other = self.bench.pool.acquire(), self.bench.pool.acquire()
        lease.add(10, 200)
        lease.add(1, 0)
        other.add(0, 5)
        self.assertEqual((lease.bytesIn, lease.bytesOut), (11, 200))
        self.assertEqual((self.host.counters.bytesIn, self.host.counters.bytesOut), (11, 205))

    def test_releasedTwice(self) -> None:
        """
        A second release raises, and counts nothing.
        """
        lease, other = self.bench.pool.acquire(), self.bench.pool.acquire()
        lease.release(Outcome.HOST_RESET)
        error = self.assertRaises(LeaseReleased, lease.release)
        self.assertEqual(
            str(error),
            "the lease on <Host web/g/a up active=1> was released as host-reset already",
        )
        self.assertEqual((self.host.active, lease.outcome), (1, Outcome.HOST_RESET))
        other.release()

    def test_addAfterRelease(self) -> None:
        lease = self.bench.pool.acquire()
        lease.release()
        error = self.assertRaises(LeaseReleased, lease.add, 1, 1)
        self.assertEqual(
            str(error), "the lease on <Host web/g/a up active=0> was released as done already"
        )
        self.assertEqual(self.host.counters.bytesIn, 0)

    def test_context(self) -> None:
        """
        As a context manager it releases itself, with what came of the work.
        """
        with self.bench.pool.acquire() as lease:
            self.assertEqual(self.host.active, 1)
        self.assertEqual((self.host.active, lease.outcome), (0, Outcome.DONE))
        with self.assertRaises(ZeroDivisionError), self.bench.pool.acquire() as lease:
            lease.add(1 // 0, 0)
        self.assertEqual((self.host.active, lease.outcome), (0, Outcome.ERROR))

    def test_contextReleased(self) -> None:
        """
        Where it was released within, that stands.
        """
        with self.bench.pool.acquire() as lease:
            lease.release(Outcome.CLIENT_GONE)
        self.assertEqual((self.host.active, lease.outcome), (0, Outcome.CLIENT_GONE))
