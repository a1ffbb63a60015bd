"""
Tests for the epoll of the fast relay, L{txlb.proxy.fast._loop}.
"""

from __future__ import annotations

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
