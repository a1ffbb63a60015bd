"""
Tests for the epoll of the fast relay, L{txlb.proxy.fast._loop}.
"""

from __future__ import annotations

import select
import socket
import time
from unittest import mock

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.proxy.fast.stage import HandReactor, HandTurned, readSome
from txlb.deadlines import Deadlines
from txlb.pool import Outcome
from txlb.proxy.fast import Loop, whyNot
from txlb.proxy.fast._handler import Calls
from txlb.proxy.fast._loop import LATE, LONGEST, NEAR


class LoopTests(SynchronousTestCase):
    """
    L{Loop}.
    """

    def test_oneBreaks(self) -> None:
        """
        What a handler raises is logged, and ends its connection alone.
        """
        stage = HandTurned()
        self.addCleanup(stage.close)
        stage.addHost()
        first = stage.connect()
        second = stage.connect()
        for client, _ in (first, second):
            client.send(b"x")
        with mock.patch("txlb.proxy.fast._end.End.finish", side_effect=ValueError("broken")):
            first[0].shutdown(socket.SHUT_WR)
            stage.turn(3)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        lease = stage.results[0].lease
        assert lease is not None
        self.assertEqual(lease.outcome, Outcome.ERROR)
        self.assertEqual(readSome(second[1], 10), b"x")
        second[0].send(b"y")
        stage.turn(3)
        self.assertEqual(readSome(second[1], 10), b"y")

    def test_bulkBreaks(self) -> None:
        """
        So it is with bulk.
        """
        stage = HandTurned()
        self.addCleanup(stage.close)
        stage.addHost()
        client, _ = stage.connect()
        with mock.patch("txlb.proxy.fast._connection.move", side_effect=ValueError("broken")):
            client.send(b"x" * 500_000)
            stage.turn(5)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(len(stage.results), 1)

    def test_lookSoon(self) -> None:
        """
        Small traffic is looked for after a step that says that it took long, before the next one.
        """
        done: list[str] = []
        loop = Loop(HandReactor(), Deadlines(HandReactor(), lambda: 100.0))
        self.addCleanup(loop.stop)
        one, other = socket.socketpair()
        self.addCleanup(one.close)
        self.addCleanup(other.close)
        loop.watch(one.fileno(), Calls(lambda _: done.append("small")))
        loop.turn()
        done.clear()

        class Step:
            queued = False

            def __init__(self, long: bool) -> None:
                self.long = long

            def moveBulk(self) -> None:
                done.append("step")
                other.send(b"x")
                if self.long:
                    loop.lookSoon()

        for long, order in ((True, ["step", "small", "step"]), (False, ["step", "step"])):
            for _ in range(2):
                loop.queueBulk(Step(long))
            loop.catchUp()
            self.assertEqual(done[: len(order)], order)
            loop.turn()
            done.clear()

    def test_tableGrows(self) -> None:
        """
        A descriptor beyond the table makes it larger.
        """
        loop = Loop(HandReactor(), Deadlines(HandReactor(), time.monotonic))
        events: list[int] = []
        loop.handle(5000, Calls(events.append))
        handler = loop.handlerOf(5000)
        assert handler is not None
        handler.event(1)
        self.assertEqual(events, [1])
        self.assertIs(loop.handlerOf(5001), None)
        loop.stop()

    def test_whyNot(self) -> None:
        """
        It needs a reactor that can watch descriptors, and epoll.
        """
        self.assertIn("reactor", str(whyNot(Clock())))
        with mock.patch("txlb.proxy.fast._relay.select", spec=[]):
            self.assertIn("epoll", str(whyNot(Clock())))


class GivingWayTests(SynchronousTestCase):
    """
    Other work of the reactor's thread gives way to the events of the loop.
    """

    def setUp(self) -> None:
        self.now = 100.0
        # Seconds of each look at the clock.
        self.step = 0.0
        self.loop = Loop(HandReactor(), Deadlines(HandReactor(), self.seconds))
        self.addCleanup(self.loop.stop)
        self.one, self.other = socket.socketpair()
        self.addCleanup(self.one.close)
        self.addCleanup(self.other.close)
        self.one.setblocking(False)
        self.events = 0
        # How many more the handler makes.
        self.more = 0
        self.loop.watch(self.one.fileno(), Calls(self.handle), select.EPOLLIN)
        self.loop.turn()

    def seconds(self) -> float:
        self.now += self.step
        return self.now

    def handle(self, event: int) -> None:
        self.one.recv(100)
        self.events += 1
        # A handler that looks finds the loop in its turn.
        self.assertFalse(self.loop.look())
        if self.more:
            self.more -= 1
            self.other.send(b"x")

    def test_look(self) -> None:
        """
        It handles what is there, unless it has looked a moment ago.
        """
        self.other.send(b"x")
        self.assertFalse(self.loop.look())
        self.assertEqual(self.events, 0)
        self.now += 2 * LATE
        self.assertTrue(self.loop.look())
        self.assertEqual(self.events, 1)
        self.now += 2 * LATE
        self.assertFalse(self.loop.look())

    def test_nothing(self) -> None:
        """
        If there is nothing the work goes on after one look.
        """
        self.now += 2 * LATE
        with mock.patch.object(self.loop, "turn", wraps=self.loop.turn) as turn:
            self.loop.giveWay()
        self.assertEqual(turn.call_count, 1)

    def test_near(self) -> None:
        """
        The next events of a connection come first too, if they are near.
        """
        self.more = 3
        self.other.send(b"x")
        self.step = 2 * LATE
        before = self.now
        self.loop.giveWay()
        self.assertEqual(self.events, 4)
        self.assertGreaterEqual(self.now - before, NEAR)
        self.assertLess(self.now - before, LONGEST)

    def test_longest(self) -> None:
        """
        A stream of events does not hold the work up for good.
        """
        self.more = 10**6
        self.other.send(b"x")
        self.step = 2 * LATE
        before = self.now
        self.loop.giveWay()
        self.assertGreater(self.events, 3)
        self.assertApproximates(self.now - before, LONGEST, 10 * LATE)

    def test_ended(self) -> None:
        """
        The end may come between two parts of other work, or in a turn to which it has given way.
        """
        self.other.send(b"x")
        self.loop.handle(self.one.fileno(), Calls(lambda _: self.loop.stop()))
        for _ in range(2):
            self.now += 2 * LATE
            self.loop.giveWay()
        self.assertFalse(self.loop.look())

    def test_reactor(self) -> None:
        """
        An event that tells that the reactor has some is none of the loop's, and comes again.
        """
        told: list[int] = []

        class Theirs:
            @staticmethod
            def event(event: int) -> None:
                told.append(event)
                self.loop._hosting.reactorIsReady = True

        theirs, tells = socket.socketpair()
        self.addCleanup(theirs.close)
        self.addCleanup(tells.close)
        self.loop.watch(theirs.fileno(), Theirs(), select.EPOLLIN)
        tells.send(b"x")
        for count in (1, 2):
            self.now += 2 * LATE
            self.assertFalse(self.loop.look())
            self.assertEqual(len(told), count)
        self.other.send(b"x")
        self.now += 2 * LATE
        self.assertTrue(self.loop.look())
