"""
Tests for L{txlb.application._timer}.
"""

from __future__ import annotations

from tests.proxy.fakes import ReactorCase
from tests.sleeping import SleepingClock
from txlb.application._timer import PoolTimer
from txlb.deadlines import Deadlines
from txlb.manager import proxyManagerFactory
from txlb.model import ProxyGroup, ProxyHost, ProxyService
from txlb.pool import (
    Attempt,
    DialLimits,
    Failure,
    FailureKind,
    GaveUp,
    GaveUpReason,
    HostPool,
    Waiting,
)


class PoolTimerTests(ReactorCase):
    def setUp(self) -> None:
        super().setUp()
        hosts = [ProxyHost("a", "127.0.0.1", 7001), ProxyHost("b", "127.0.0.1", 7002)]
        services = [
            ProxyService(name, ["127.0.0.1:0"], [ProxyGroup("main", "roundr", True, hosts)])
            for name in ("web", "mail")
        ]
        self.manager = proxyManagerFactory(services, seconds=self.reactor.seconds)
        self.web, self.mail = (self.manager.getPool(name) for name in ("web", "mail"))
        self.timer = PoolTimer(self.manager, self.deadlines)
        self.advanced: list[float] = []
        advance = self.manager.advance

        def counted(now: float) -> None:
            self.advanced.append(now)
            advance(now)

        self.patch(self.manager, "advance", counted)

    def refuse(self, pool: HostPool) -> None:
        """
        The next host of a pool can't be reached.
        """
        step = pool.dial().start()
        assert isinstance(step, Attempt)
        after = step.failed(Failure(FailureKind.REFUSED))
        if isinstance(after, Attempt):
            after.cancel()

    def start(self) -> None:
        self.timer.startService()
        self.addCleanup(self.timer.stopService)

    def test_sleep(self) -> None:
        """
        A client whose time in the queue passed while the process slept, and for whom there
        is room by what is read then, gets its host, and that its time to answer.
        """
        clock = SleepingClock()
        manager = proxyManagerFactory(
            [
                ProxyService(
                    "web",
                    ["127.0.0.1:0"],
                    [
                        ProxyGroup(
                            "main",
                            "roundr",
                            True,
                            [ProxyHost("a", "127.0.0.1", 7001, maxConnections=1)],
                            maxQueue=5,
                            queueTimeout=2,
                        )
                    ],
                )
            ],
            seconds=clock.seconds,
        )
        timer = PoolTimer(manager, Deadlines(clock, clock.seconds))
        timer.startService()
        self.addCleanup(timer.stopService)
        pool = manager.getPool("web")
        lease = pool.acquire()
        waiting = [pool.dial(None, DialLimits(1.0, 4.0)).start() for _ in range(2)]
        steps: list[Attempt | GaveUp] = []
        for each in waiting:
            assert isinstance(each, Waiting)
            each.whenWoken(steps.append)
        clock.sleep(60)
        self.assertEqual(steps, [])
        lease.release()
        clock.decide()
        first, second = steps
        assert isinstance(first, Attempt)
        self.assertEqual(first.deadline, clock.seconds() + 1.0)
        assert isinstance(second, GaveUp)
        self.assertIs(second.reason, GaveUpReason.QUEUE_TIMEOUT)
        first.cancel()

    def test_told(self) -> None:
        """
        A time that no event tells of is kept too: that of a client that waits.
        """
        self.start()
        self.manager.setGroup("web", "main", maxQueue=5, queueTimeout=2)
        for name in "ab":
            self.manager.setHost("web", "main", name, maxConnections=1)
        leases = [self.web.acquire() for _ in range(2)]
        waiting = self.web.dial().start()
        assert isinstance(waiting, Waiting)
        steps: list[Attempt | GaveUp] = []
        waiting.whenWoken(steps.append)
        self.reactor.pump([0.5] * 4)
        (step,) = steps
        assert isinstance(step, GaveUp)
        self.assertIs(step.reason, GaveUpReason.QUEUE_TIMEOUT)
        for lease in leases:
            lease.release()
        self.timer.stopService()
        self.assertIsNone(self.manager.onDeadline)
        self.timer.startService()

    def test_nothing(self) -> None:
        """
        Where nothing is due nothing waits.
        """
        self.start()
        self.assertEqual(len(self.deadlines), 0)

    def test_due(self) -> None:
        """
        A host that is out is put back for a trial at its time, without anybody
        asking, and then nothing waits.
        """
        self.start()
        self.refuse(self.web)
        self.assertEqual(self.web.readyCount, 1)
        self.reactor.pump([0.25] * 3)
        self.assertEqual(self.advanced, [])
        self.reactor.pump([0.25])
        self.assertEqual(self.advanced, [1.0])
        self.assertEqual(self.web.readyCount, 2)
        self.assertEqual(len(self.deadlines), 0)

    def test_earliest(self) -> None:
        """
        One deadline waits for all pools, the earliest.
        """
        self.start()
        self.refuse(self.web)
        self.reactor.advance(0.5)
        self.refuse(self.mail)
        self.assertEqual(len(self.deadlines), 1)
        self.reactor.pump([0.5, 0.5])
        self.assertEqual(self.advanced, [1.0, 1.5])
        self.assertEqual((self.web.readyCount, self.mail.readyCount), (2, 2))

    def test_movedForward(self) -> None:
        """
        Where something comes up that is due earlier, it is done earlier.
        """
        self.patch(self.manager, "nextDeadline", lambda: 10.0)
        self.start()
        self.patch(self.manager, "nextDeadlineOf", lambda _event: 2.0)
        self.manager.setWeight("web", "main", "a", 2)
        self.assertEqual(len(self.deadlines), 1)
        self.patch(self.manager, "nextDeadline", lambda: None)
        self.reactor.pump([0.5] * 4)
        self.assertEqual(self.advanced, [2.0])

    def test_before(self) -> None:
        """
        What was to be done before it is started is done.
        """
        self.refuse(self.web)
        self.start()
        self.reactor.pump([0.5, 0.5])
        self.assertEqual(self.web.readyCount, 2)

    def test_stop(self) -> None:
        """
        After a stop nothing is done, whatever happens.
        """
        self.start()
        self.refuse(self.web)
        self.assertTrue(self.timer.running)
        self.timer.stopService()
        self.assertFalse(self.timer.running)
        self.refuse(self.mail)
        self.assertEqual(len(self.deadlines), 0)
        self.reactor.pump([0.5] * 10)
        self.assertEqual(self.advanced, [])
        self.timer.stopService()
