"""
Tests for L{txlb.pool._dial}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.pool.kit import BUSY, LOCAL, PATIENT, PORTS, REFUSED, TIMEOUT, UNREACHABLE, Bench
from txlb.model import ProxyGroup, ProxyHost, TCPAddress
from txlb.pool import Attempt, DialLimits, Failure, FailureKind, GaveUp, GaveUpReason, Outcome, Step


class DialTests(SynchronousTestCase):
    def test_connected(self) -> None:
        """
        A host that is reached is the client's, and the search is over.
        """
        bench = Bench("a", "b")
        dial = bench.dial(clientAddr=("192.0.2.1", 5))
        attempt = dial.start()
        assert isinstance(attempt, Attempt)
        self.assertEqual((dial.tries, dial.began, dial.pool), (1, 1000.0, bench.pool))
        self.assertEqual(attempt.address, TCPAddress("127.0.0.1", 7000))
        self.assertIs(attempt.dial, dial)
        self.assertEqual((attempt.host.name, attempt.host.active), ("a", 1))
        bench.now += 0.25
        lease = attempt.connected()
        self.assertIs(lease, attempt.lease)
        self.assertEqual(lease.clientAddr, ("192.0.2.1", 5))
        host = lease.host
        self.assertEqual((host.active, host.counters.connections, host.connectTime), (1, 1, 0.25))
        dial.cancel()
        self.assertIsNone(lease.outcome)
        lease.release()
        self.assertEqual((host.active, bench.told()), (0, []))

    def test_eachHostOnce(self) -> None:
        """
        One host after the other is tried, each once, then the search ends.
        """
        bench = Bench("a", "b", "c")
        attempt: Step = bench.attempt()
        tried = []
        while isinstance(attempt, Attempt):
            tried.append(attempt.host.name)
            attempt = attempt.failed(REFUSED)
        self.assertEqual(sorted(tried), ["a", "b", "c"])
        self.assertEqual(attempt, GaveUp(GaveUpReason.UNREACHABLE, REFUSED))
        self.assertEqual([host.counters.failures for host in bench.pool.hosts], [1, 1, 1])
        self.assertEqual(bench.pool.active, 0)

    def test_retries(self) -> None:
        """
        After the first no more others are tried than are allowed.
        """
        for retries in (0, 1, 3):
            bench = Bench("a", "b", "c", "d", "e")
            attempt: Step = bench.attempt(DialLimits(retries=retries))
            tries = 0
            while isinstance(attempt, Attempt):
                tries += 1
                attempt = attempt.failed(UNREACHABLE)
            self.assertEqual(tries, 1 + retries)
            self.assertEqual(attempt, GaveUp(GaveUpReason.UNREACHABLE, UNREACHABLE))

    def test_noHost(self) -> None:
        """
        With nobody to try the search ends at once.
        """
        self.assertEqual(Bench().dial().start(), GaveUp(GaveUpReason.NO_HOST))

    def test_deadlines(self) -> None:
        """
        Each host has its time, the search has its own for all of them.
        """
        bench = Bench("a", "b", "c")
        attempt: Step = bench.attempt(DialLimits(connectTimeout=5, dialTimeout=8))
        assert isinstance(attempt, Attempt)
        self.assertEqual(attempt.deadline, 1005.0)
        bench.now = 1005.0
        attempt = attempt.failed(TIMEOUT)
        assert isinstance(attempt, Attempt)
        self.assertEqual(attempt.deadline, 1008.0)
        bench.now = 1008.0
        attempt = attempt.failed(TIMEOUT)
        self.assertEqual(attempt, GaveUp(GaveUpReason.TIMEOUT, TIMEOUT))
        self.assertEqual(bench.pool.active, 0)

    def test_slept(self) -> None:
        """
        What the process has slept since it began does not count for the search.
        """
        bench = Bench("a", "b", "c", "d")
        limits = DialLimits(connectTimeout=5, dialTimeout=8)
        attempt = bench.attempt(limits)
        bench.now += 100
        second = attempt.failed(REFUSED, 98)
        assert isinstance(second, Attempt)
        self.assertEqual(second.deadline, bench.now + 5)
        bench.now += 4
        third = second.failed(REFUSED, 98)
        assert isinstance(third, Attempt)
        self.assertEqual(third.deadline, bench.now + 2)
        bench.now += 2
        last = third.failed(REFUSED, 98)
        assert isinstance(last, GaveUp)
        self.assertIs(last.reason, GaveUpReason.TIMEOUT)

    def test_defaults(self) -> None:
        """
        By default a search does as a service without settings.
        """
        self.assertEqual(DialLimits(), DialLimits(5.0, 10.0, 3))
        attempt = Bench("a").pool.dial().start()
        assert isinstance(attempt, Attempt)
        self.assertEqual(attempt.deadline, 1005.0)

    def test_local(self) -> None:
        """
        Our own want of something is no fault of a host, and no other could
        mend it.
        """
        bench = Bench("a", "b")
        self.assertEqual(bench.attempt().failed(LOCAL), GaveUp(GaveUpReason.LOCAL, LOCAL))
        self.assertEqual([bench.state(name) for name in "ab"], ["unchecked", "unchecked"])
        self.assertEqual([host.counters.failures for host in bench.pool.hosts], [0, 0])
        self.assertEqual((bench.pool.active, bench.told()), (0, []))

    def test_busy(self) -> None:
        """
        A host that is busy is passed over, without a mark.
        """
        bench = Bench("a", "b")
        second = bench.attempt().failed(BUSY)
        assert isinstance(second, Attempt)
        self.assertEqual((second.host.name, bench.state("a")), ("b", "unchecked"))
        self.assertEqual(bench.pool.getHost("a").counters.failures, 0)
        self.assertEqual(second.failed(BUSY), GaveUp(GaveUpReason.UNREACHABLE, BUSY))
        self.assertEqual((bench.pool.active, bench.told()), (0, []))

    def test_ports(self) -> None:
        """
        Want of local ports is about one host: the next one is tried, without a mark.
        If that is so for all of them it is this machine's fault.
        """
        bench = Bench("a", "b")
        second = bench.attempt().failed(PORTS)
        assert isinstance(second, Attempt)
        self.assertEqual((second.host.name, bench.state("a")), ("b", "unchecked"))
        self.assertEqual(second.failed(PORTS), GaveUp(GaveUpReason.LOCAL, PORTS))
        self.assertEqual([host.counters.failures for host in bench.pool.hosts], [0, 0])
        self.assertEqual((bench.pool.active, bench.told()), (0, []))

    def test_portsAndOthers(self) -> None:
        """
        If another host could not be reached for a reason of its own, that is the
        reason that is told, whichever comes first.
        """
        for failures in ((PORTS, BUSY), (BUSY, PORTS), (PORTS, REFUSED), (REFUSED, PORTS)):
            step: Step = Bench("a", "b").attempt()
            for failure in failures:
                assert isinstance(step, Attempt)
                step = step.failed(failure)
            [other] = set(failures) - {PORTS}
            self.assertEqual(step, GaveUp(GaveUpReason.UNREACHABLE, other))

    def test_oneVerdict(self) -> None:
        """
        An attempt has one verdict; another raises and counts nothing.
        """
        bench = Bench("a", "b")
        attempt = bench.attempt()
        second = attempt.failed(REFUSED)
        assert isinstance(second, Attempt)
        self.assertRaises(ValueError, attempt.connected)
        self.assertRaises(ValueError, attempt.failed, REFUSED)
        second.connected()
        error = self.assertRaises(ValueError, second.failed, REFUSED)
        self.assertEqual(str(error), "this attempt is over: it had its verdict before")
        self.assertEqual(bench.pool.active, 1)

    def test_startedTwice(self) -> None:
        """
        A search begins once, or the first attempt's claim would be lost.
        """
        bench = Bench("a", "b")
        attempt = bench.attempt()
        self.assertRaises(ValueError, attempt.dial.start)
        self.assertEqual(bench.pool.active, 1)

    def test_cancel(self) -> None:
        """
        A client that went away leaves nothing behind, whenever it goes.
        """
        bench = Bench("a", "b")
        unstarted = bench.dial()
        unstarted.cancel()
        attempt = bench.attempt()
        attempt.cancel()
        attempt.cancel()
        self.assertEqual(attempt.lease.outcome, Outcome.CLIENT_GONE)
        second = bench.attempt().failed(REFUSED)
        assert isinstance(second, Attempt)
        second.dial.cancel()
        self.assertEqual(bench.pool.active, 0)
        self.assertEqual(bench.pool.getHost("a").counters.connections, 0)

    def test_outcome(self) -> None:
        """
        A lease whose host was not reached says so.
        """
        bench = Bench("a")
        attempt = bench.attempt()
        attempt.failed(REFUSED)
        self.assertEqual(attempt.lease.outcome, Outcome.NOT_CONNECTED)

    def test_hostRemovedMeanwhile(self) -> None:
        """
        A host that is removed while a client tries it may still be reached, or
        not; it says nothing of a new one of its name.
        """
        bench = Bench("a")
        first, second = bench.attempt(), bench.attempt()
        bench.pool.removeHost("a")
        bench.pool.addHost(ProxyHost("a", "127.0.0.1", 8000))
        bench.told()
        first.failed(REFUSED)
        lease = second.connected()
        self.assertEqual((bench.state("a"), bench.told()), ("unchecked", []))
        lease.release()
        self.assertEqual(bench.told(), ["host-gone a"])
        self.assertEqual(bench.pool.active, 0)

    def test_addressLostMeanwhile(self) -> None:
        """
        A host that is moved to a name, which has no address yet, while a client
        tries it: the failure to reach the old one is a failure like any other.
        """
        bench = Bench("a", "b")
        attempt = bench.attempt()
        moved, kept = ProxyHost("a", "web.example", 80), bench.pool.getHost("b").configured
        bench.pool.follow(ProxyGroup("g", hosts=[moved, kept]))
        self.assertEqual((attempt.host.name, attempt.host.addresses), ("a", ()))
        step = attempt.failed(REFUSED)
        assert isinstance(step, Attempt)
        self.assertEqual(step.host.name, "b")

    def test_words(self) -> None:
        self.assertEqual(str(REFUSED), "refused (connection refused)")
        self.assertEqual(str(TIMEOUT), "timeout")
        self.assertEqual(Failure(FailureKind.BUSY), BUSY)
        self.assertEqual(
            {kind.value for kind in FailureKind},
            {"refused", "timeout", "unreachable", "busy", "ports", "local"},
        )
        self.assertGreater(PATIENT.retries, DialLimits().retries)


class AgainTests(SynchronousTestCase):
    def test_again(self) -> None:
        """
        Work that failed at a host that was reached goes on to the hosts that are left,
        within the limits of the whole search.
        """
        bench = Bench("a", "b", "c")
        attempt = bench.attempt(DialLimits(retries=2))
        dial = attempt.dial
        tried = []
        step: Step = attempt
        while isinstance(step, Attempt):
            tried.append(step.host.name)
            step.connected().release(Outcome.HOST_RESET)
            step = dial.again()
        self.assertEqual(sorted(tried), ["a", "b", "c"])
        self.assertEqual(step, GaveUp(GaveUpReason.UNREACHABLE))
        self.assertEqual(bench.pool.active, 0)

    def test_late(self) -> None:
        """
        It ends after C{dialTimeout}, which runs from the beginning.
        """
        bench = Bench("a", "b")
        attempt = bench.attempt(DialLimits(dialTimeout=3))
        attempt.connected().release(Outcome.HOST_RESET)
        bench.now += 3
        self.assertEqual(attempt.dial.again(), GaveUp(GaveUpReason.TIMEOUT))

    def test_notYet(self) -> None:
        """
        A search that has reached no host can't leave one.
        """
        bench = Bench("a", "b")
        dial = bench.dial()
        self.assertRaises(ValueError, dial.again)
        dial.start()
        self.assertRaises(ValueError, dial.again)
