"""
Two sides and the bytes between them, in memory.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txlb.deadlines import Deadlines
from txlb.model import ProxyHost
from txlb.pool import HostPool, Lease, Outcome
from txlb.proxy import Timeouts
from txlb.proxy._pair import Pair
from txlb.testing import FlowTransport

#: What a transport and the one chunk that filled it may hold.
MOST = 65536 * 2


class Stage:
    """
    A pair with both its peers.
    """

    def __init__(self, timeouts: Timeouts | None = None) -> None:
        self.clock = Clock()
        self.outcomes: list[Outcome] = []
        self.pool = HostPool(hosts=[ProxyHost("host", "192.0.2.1", 80)], seconds=self.clock.seconds)
        self.lease: Lease = self.pool.acquire()
        deadlines = Deadlines(self.clock, self.clock.seconds)
        self.pair = Pair(deadlines, timeouts or Timeouts(), self.outcomes.append)
        self.host = FlowTransport(self.pair.host)
        self.pair.claim(self.lease)
        self.client = FlowTransport(self.pair.client)

    def begin(self, toHost: bytes = b"", toClient: bytes = b"") -> Stage:
        """
        Move bytes.
        """
        self.pair.begin(toHost, toClient)
        return self

    def advance(self, seconds: float) -> None:
        """
        Let time pass, a second at a time, as the wake-ups come.
        """
        while seconds > 0:
            self.clock.advance(min(seconds, 1.0))
            seconds -= 1.0


class PairTests(SynchronousTestCase):
    """
    L{Pair}.
    """

    def test_nothingIsReadBeforeBothAreThere(self) -> None:
        """
        A client's bytes wait for its host.
        """
        stage = Stage()
        stage.client.send(b"early")
        self.assertEqual(stage.host.waiting, 0)
        stage.begin(b"first ")
        self.assertEqual(stage.host.take(), b"first early")
        self.assertEqual((stage.lease.bytesIn, stage.lease.bytesOut), (5, 0))

    def test_backpressure(self) -> None:
        """
        A side that can't be written to keeps the other from being read.
        """
        stage = Stage().begin()
        stage.host.send(b"x" * 1_000_000)
        self.assertLess(stage.client.waiting, MOST + 1)
        self.assertFalse(stage.host.reading)
        received = 0
        while stage.client.waiting:
            received += len(stage.client.take(10_000))
        self.assertEqual((received, stage.lease.bytesOut), (1_000_000, 1_000_000))

    def test_endBehindBlockedBytes(self) -> None:
        """
        An end that comes while its bytes can't be written follows them, and the
        other direction goes on.
        """
        stage = Stage().begin()
        stage.host.send(b"x" * 300_000)
        stage.host.finish()
        self.assertFalse(stage.client.finished)
        received = 0
        while stage.client.waiting:
            received += len(stage.client.take())
        self.assertEqual(received, 300_000)
        self.assertTrue(stage.client.finished)
        stage.client.send(b"and yet")
        self.assertEqual(stage.host.take(), b"and yet")
        self.assertEqual(stage.outcomes, [])
        stage.client.finish()
        self.assertEqual(stage.outcomes, [Outcome.DONE])
        self.assertTrue(stage.client.closed and stage.host.closed)

    def test_resets(self) -> None:
        """
        A reset of one side resets the other, and says whose it was.
        """
        for side, other, outcome in (
            ("client", "host", Outcome.CLIENT_RESET),
            ("host", "client", Outcome.HOST_RESET),
        ):
            stage = Stage().begin()
            getattr(stage, side).reset()
            self.assertTrue(getattr(stage, other).aborted)
            self.assertEqual(stage.outcomes, [outcome])

    def test_lostBeforeBegin(self) -> None:
        """
        A side that is lost before both are there is a reset.
        """
        stage = Stage()
        stage.client.reset()
        self.assertEqual(stage.outcomes, [Outcome.CLIENT_RESET])
        stage.begin()
        self.assertTrue(stage.host.aborted)
        self.assertEqual(stage.outcomes, [Outcome.CLIENT_RESET])

    def test_clientNeverThere(self) -> None:
        """
        A client that could not be adopted ends the host's side.
        """
        clock = Clock()
        outcomes: list[Outcome] = []
        pair = Pair(Deadlines(clock, clock.seconds), Timeouts(), outcomes.append)
        host = FlowTransport(pair.host)
        pair.claim(HostPool(hosts=[ProxyHost("host", "192.0.2.1", 80)]).acquire())
        pair.abort(Outcome.CLIENT_RESET)
        self.assertTrue(host.aborted)
        self.assertEqual(outcomes, [Outcome.CLIENT_RESET])

    def test_abortOnce(self) -> None:
        """
        How it ended is decided once.
        """
        stage = Stage().begin()
        stage.pair.abort(Outcome.STOPPED)
        stage.pair.abort(Outcome.ERROR)
        self.assertEqual(stage.outcomes, [Outcome.STOPPED])

    def test_idle(self) -> None:
        """
        Silence is counted from the last byte in either direction.
        """
        stage = Stage(Timeouts(idle=10)).begin()
        stage.advance(9)
        stage.client.send(b"x")
        stage.advance(9)
        stage.host.send(b"x")
        stage.advance(9)
        self.assertEqual(stage.outcomes, [])
        stage.advance(2)
        self.assertEqual(stage.outcomes, [Outcome.IDLE_TIMEOUT])
        self.assertTrue(stage.client.aborted and stage.host.aborted)

    def test_noTimeouts(self) -> None:
        """
        With 0, silence may last.
        """
        stage = Stage(Timeouts(idle=0, fin=0)).begin()
        stage.client.finish()
        stage.advance(1000)
        self.assertEqual(stage.outcomes, [])

    def test_finTimeout(self) -> None:
        """
        After one side's end the other time counts, also for an end that can't
        be delivered.
        """
        stage = Stage(Timeouts(idle=100, fin=10)).begin()
        stage.host.send(b"x" * 10)
        stage.host.finish()
        stage.advance(9)
        self.assertEqual(stage.outcomes, [])
        stage.advance(2)
        self.assertEqual(stage.outcomes, [Outcome.FIN_TIMEOUT])

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["send", "take", "finish"]),
                st.booleans(),
                st.integers(1, 200_000),
            ),
            max_size=30,
        )
    )
    @settings(deadline=None, max_examples=60)
    def test_anyOrder(self, steps: list[tuple[str, bool, int]]) -> None:
        """
        Whatever both sides do and in whatever order: what was sent arrives, no
        more than a bounded part of it waits here, and it ends in good order.
        """
        stage = Stage().begin()
        ends = {True: stage.client, False: stage.host}
        sent = {True: bytearray(), False: bytearray()}
        got = {True: bytearray(), False: bytearray()}
        finished = {True: False, False: False}
        for number, (step, isClient, count) in enumerate(steps):
            end = ends[isClient]
            if step == "take":
                got[isClient] += end.take(count)
            elif not finished[isClient]:
                if step == "finish":
                    finished[isClient] = True
                    end.finish()
                else:
                    data = bytes([number % 251]) * count
                    sent[isClient] += data
                    end.send(data)
            self.assertLessEqual(end.waiting, MOST)
        for isClient, end in ends.items():
            if not finished[isClient]:
                end.finish()
        for _ in range(200):
            for isClient, end in ends.items():
                got[isClient] += end.take()
        self.assertEqual(got[True], sent[False])
        self.assertEqual(got[False], sent[True])
        self.assertEqual(stage.outcomes, [Outcome.DONE])
        self.assertEqual(
            (stage.lease.bytesIn, stage.lease.bytesOut), (len(sent[True]), len(sent[False]))
        )
