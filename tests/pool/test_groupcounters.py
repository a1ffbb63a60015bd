"""
The counts of a group as a whole.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.model import ProxyHost
from txlb.pool import Attempt, CheckResult, Failure, FailureKind, HostPool, Outcome, Waiting


class GroupCountersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        hosts = [ProxyHost("a", "127.0.0.1", 1), ProxyHost("b", "127.0.0.1", 2)]
        self.pool = HostPool("roundr", hosts, seconds=self.clock.seconds, maxQueue=5)
        self.counters = self.pool.counters

    def attempt(self) -> Attempt:
        step = self.pool.dial().start()
        assert isinstance(step, Attempt)
        return step

    def test_connected(self) -> None:
        """
        A connection counts once with the time to connect, and once with how long it lasted.
        """
        attempt = self.attempt()
        self.clock.advance(0.003)
        lease = attempt.connected()
        self.assertEqual(self.counters.connectTimes.count, 1)
        self.assertAlmostEqual(self.counters.connectTimes.sum, 0.003)
        self.assertEqual(self.counters.durations.count, 0)
        self.clock.advance(7)
        lease.release()
        self.assertEqual(self.counters.durations.count, 1)
        self.assertAlmostEqual(self.counters.durations.sum, 7.003)
        self.assertEqual(sum(self.counters.outcomes.values()), 0)

    def test_failed(self) -> None:
        """
        A host that is not reached is no connection, and the next host is a retry.
        """
        step = self.attempt().failed(Failure(FailureKind.REFUSED, "refused"))
        assert isinstance(step, Attempt)
        self.assertEqual(self.counters.retries, 1)
        self.assertEqual(self.counters.outcomes["not-connected"], 1)
        self.assertEqual(self.counters.durations.count, 0)
        step.connected().release(Outcome.CLIENT_RESET)
        self.assertEqual(self.counters.outcomes["client-reset"], 1)
        self.assertEqual(self.counters.durations.count, 1)
        self.assertEqual(self.counters.retries, 1)

    def test_cancelled(self) -> None:
        self.attempt().cancel()
        self.assertEqual(self.counters.outcomes["client-gone"], 1)
        self.assertEqual(self.counters.durations.count, 0)

    def test_queued(self) -> None:
        for name in ("a", "b"):
            self.pool.changeHost(ProxyHost(name, "127.0.0.1", 1, maxConnections=1))
        leases = [self.pool.acquire(), self.pool.acquire()]
        waiting = self.pool.dial().start()
        assert isinstance(waiting, Waiting)
        waiting.whenWoken(lambda step: step.cancel() if isinstance(step, Attempt) else None)
        self.assertEqual((self.counters.queued, self.counters.mostQueued), (1, 1))
        for lease in leases:
            lease.release()
        self.assertEqual((self.counters.queued, self.counters.mostQueued), (1, 1))

    def test_former(self) -> None:
        """
        The counts of hosts that are gone stay in the sums: of one without connections at
        once, of another one when its last connection ends.
        """
        with self.pool.acquire() as lease:
            lease.add(10, 20)
        used = lease.host.name
        self.pool.removeHost(used)
        former = self.counters.former
        self.assertEqual((former.connections, former.bytesIn, former.bytesOut), (1, 10, 20))
        held = self.pool.acquire()
        held.add(1, 2)
        self.pool.removeHost(held.host.name)
        self.assertEqual(former.connections, 1)
        held.release()
        self.assertEqual((former.connections, former.bytesIn, former.bytesOut), (2, 11, 22))

    def test_checks(self) -> None:
        host = self.pool.getHost("a")
        self.pool.watch("a", 1, 2)
        for passed in (True, False, False):
            self.pool.reportCheck("a", CheckResult(passed, "said so", 0.001))
        counters = host.counters
        self.assertEqual((counters.checks, counters.checkFailures, counters.downs), (3, 2, 1))
        self.clock.advance(5)
        self.assertEqual(host.downTime(self.clock.seconds()), 5)
