"""
The fast relay in a process that sleeps: what has come meanwhile is read before any
deadline that has passed is looked at. HAProxy cuts no connection in the same case.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.proxy.fast.stage import HandTurned, elsewhere, readSome
from tests.sleeping import SleepingClock
from txlb.deadlines import CATCH_UP, TURNS
from txlb.pool import DialLimits, GaveUpReason, Outcome, PassiveState
from txlb.proxy import Timeouts

#: Seconds that the process sleeps: longer than any timeout of these tests.
SLEEP = 60.0


class SleepingReactor(SleepingClock):
    """
    A clock whose process can sleep, and whom it would watch.
    """

    def addReader(self, reader: Any) -> None:
        """
        The test turns the loop.
        """

    removeReader = addReader


class SleepingStage(HandTurned):
    """
    A stage in a process that can sleep.
    """

    def makeReactor(self) -> Any:
        """
        See L{HandTurned.makeReactor}.
        """
        return SleepingReactor()

    def sleep(self) -> None:
        """
        Sleep, and go on: deadlines come up first, as the reactor makes the calls that
        are due before it waits.
        """
        self.reactor.sleep(SLEEP)
        for _ in range(TURNS):
            self.loop.turn()
            self.reactor.turn()

    def wait(self, seconds: float) -> None:
        """
        Let time pass while the process is awake.
        """
        for _ in range(round(seconds * 10)):
            self.reactor.advance(0.1)
            self.loop.turn()


class SleepTests(SynchronousTestCase):
    def stage(
        self, timeouts: Timeouts | None = None, limits: DialLimits | None = None
    ) -> SleepingStage:
        stage = SleepingStage(timeouts, limits)
        self.addCleanup(stage.close)
        stage.addHost()
        return stage

    def outcomes(self, stage: HandTurned) -> list[Outcome | None]:
        return [None if each.lease is None else each.lease.outcome for each in stage.results]

    def test_idle(self) -> None:
        """
        A connection with data waiting is not silent.
        """
        stage = self.stage(Timeouts(idle=10))
        client, server = stage.connect()
        client.sendall(b"question")
        stage.sleep()
        self.assertEqual(readSome(server, 100), b"question")
        self.assertEqual(stage.results, [])
        # Then it has its time again.
        stage.wait(9.5)
        self.assertEqual(stage.results, [])
        stage.wait(1)
        self.assertEqual(self.outcomes(stage), [Outcome.IDLE_TIMEOUT])

    def test_idleWithNothingWaiting(self) -> None:
        """
        What was on its way when a whole machine slept comes a moment later.
        """
        stage = self.stage(Timeouts(idle=10))
        client, server = stage.connect()
        stage.wait(5)
        stage.sleep()
        stage.wait(2)
        client.sendall(b"question")
        stage.wait(1)
        self.assertEqual(readSome(server, 100), b"question")
        self.assertEqual(stage.results, [])

    def test_stillIdle(self) -> None:
        """
        It is ended once it has been silent for long enough without the sleep.
        """
        stage = self.stage(Timeouts(idle=10))
        stage.connect()
        stage.wait(5)
        stage.sleep()
        stage.wait(3)
        self.assertEqual(stage.results, [])
        stage.wait(2 + CATCH_UP + 1)
        self.assertEqual(self.outcomes(stage), [Outcome.IDLE_TIMEOUT])

    def test_halfClosed(self) -> None:
        """
        The same where one side has finished.
        """
        stage = self.stage(Timeouts(fin=10))
        client, server = stage.connect()
        client.shutdown(socket.SHUT_WR)
        stage.turn(3)
        self.assertEqual(readSome(server, 100), b"")
        server.sendall(b"answer")
        stage.sleep()
        self.assertEqual(readSome(client, 100), b"answer")
        self.assertEqual(stage.results, [])

    def test_connected(self) -> None:
        """
        A host that has answered while the process slept was reached.
        """
        stage = self.stage(limits=DialLimits(connectTimeout=2, dialTimeout=4))
        client, fd = stage.client()
        client.sendall(b"question")
        with elsewhere():
            stage.begin(fd)
            self.assertFalse(stage.connection().begun)
            stage.sleep()
        self.assertTrue(stage.connection().begun)
        server, _ = stage.listener.accept()
        with server:
            self.assertEqual(readSome(server, 100), b"question")
        self.assertIs(stage.pool.getHost("host").passive.state, PassiveState.UP)

    def silent(self, stage: HandTurned, name: str) -> socket.socket:
        """
        Add a host that does not answer.
        """
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(2):
            filler = socket.socket()
            self.addCleanup(filler.close)
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        stage.addHost(name, listener.getsockname())
        return listener

    def test_connecting(self) -> None:
        """
        A host that has not answered yet, as its machine may have slept as well, has as
        much time as before.
        """
        stage = SleepingStage(limits=DialLimits(connectTimeout=2, dialTimeout=4, retries=0))
        self.addCleanup(stage.close)
        self.silent(stage, "silent")
        _, fd = stage.client()
        stage.begin(fd)
        stage.sleep()
        stage.wait(1.8)
        self.assertEqual(stage.results, [])
        stage.wait(CATCH_UP + 0.5)
        gaveUp = stage.results[0].gaveUp
        assert gaveUp is not None
        self.assertIs(gaveUp.reason, GaveUpReason.UNREACHABLE)

    def test_nextHost(self) -> None:
        """
        The search goes on to the next host, though its time is over but for the sleep.
        """
        stage = SleepingStage(limits=DialLimits(connectTimeout=2, dialTimeout=4))
        self.addCleanup(stage.close)
        silent = self.silent(stage, "silent")
        stage.addHost("host")
        client, fd = stage.client()
        client.sendall(b"question")
        stage.begin(fd)
        stage.sleep()
        silent.close()
        with contextlib.suppress(BlockingIOError):
            stage.listener.accept()[0].close()
        stage.wait(2 + CATCH_UP + 0.5)
        self.assertEqual(stage.results, [])
        self.assertTrue(stage.connection().begun)
