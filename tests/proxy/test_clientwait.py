"""
Tests for L{txlb.proxy._clientwait}.
"""

from __future__ import annotations

from tests.proxy.fakes import ReactorCase
from tests.proxy.fast.stage import reset
from txlb.model import ProxyHost
from txlb.pool import Attempt, GaveUp, HostPool, Waiting
from txlb.proxy._clientwait import LOOK, ClientWait, hasLeft


class LeftTests(ReactorCase):
    def test_hasLeft(self) -> None:
        """
        A client that is silent, has sent something, or has finished sending
        after that is there; one that only finished, or reset, has gone.
        """
        for data, end, gone in (
            (b"", "", False),
            (b"x", "", False),
            (b"x", "finish", False),
            (b"", "finish", True),
            (b"", "close", True),
            (b"", "reset", True),
            (b"x", "reset", True),
        ):
            ours, theirs = self.tcpPair()
            theirs.sendall(data)
            if end == "finish":
                theirs.shutdown(1)
            elif end == "close":
                theirs.close()
            elif end == "reset":
                reset(theirs)
            self.assertEqual(hasLeft(ours), gone, (data, end))

    def test_closedSocket(self) -> None:
        ours, _ = self.pair()
        ours.close()
        self.assertTrue(hasLeft(ours))


class ClientWaitTests(ReactorCase):
    def setUp(self) -> None:
        super().setUp()
        self.pool = HostPool(
            hosts=[ProxyHost("a", "127.0.0.1", 1, 1, 1)], maxQueue=5, seconds=self.reactor.seconds
        )
        self.lease = self.pool.acquire()
        self.ours, self.theirs = self.tcpPair()
        self.steps: list[Attempt | GaveUp] = []
        self.left = 0

    def wait(self) -> ClientWait:
        waiting = self.pool.dial().start()
        assert isinstance(waiting, Waiting)
        return ClientWait(self.deadlines, self.ours, waiting, self.woken, self.goes)

    def woken(self, step: Attempt | GaveUp) -> None:
        self.steps.append(step)

    def goes(self) -> None:
        self.left += 1

    def test_woken(self) -> None:
        """
        It is woken once there is room, and looked at no more.
        """
        self.wait()
        for _ in range(3):
            self.reactor.advance(LOOK)
        self.assertEqual((self.steps, self.left), ([], 0))
        self.lease.release()
        (step,) = self.steps
        self.assertIsInstance(step, Attempt)
        self.assertEqual(len(self.deadlines), 0)

    def test_left(self) -> None:
        """
        One that has gone is forgotten at the next look.
        """
        self.wait()
        self.theirs.close()
        self.assertEqual(self.left, 0)
        self.reactor.advance(LOOK)
        self.assertEqual((self.left, self.pool.snapshot().waiting), (1, 0))
        self.lease.release()
        self.assertEqual((self.steps, len(self.deadlines)), ([], 0))

    def test_cancel(self) -> None:
        self.wait().cancel()
        self.lease.release()
        self.assertEqual((self.steps, self.left, len(self.deadlines)), ([], 0, 0))

    def test_breaks(self) -> None:
        """
        What raises when it is woken is logged, and harms nobody whose connection
        made the room.
        """
        self.patch(self, "woken", lambda _: 1 // 0)
        self.wait()
        self.wait()
        self.lease.release()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.pool.snapshot().waiting, 1)
