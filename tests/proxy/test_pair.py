"""
Two sides and the bytes between them, in memory.
"""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.sleeping import SleepingClock
from txlb.deadlines import Deadlines
from txlb.model import ProxyHost
from txlb.pool import HostPool, Lease, Outcome
from txlb.proxy import Timeouts
from txlb.proxy._delivery import LONGEST, SELDOM, SOON
from txlb.proxy._pair import Pair
from txlb.testing import FlowTransport

#: What a transport and the one chunk that filled it may hold.
MOST = 65536 * 2


class Stage:
    """
    A pair with both its peers.
    """

    def __init__(self, timeouts: Timeouts | None = None, clock: Clock | None = None) -> None:
        self.clock = Clock() if clock is None else clock
        self.outcomes: list[Outcome] = []
        self.pool = HostPool(hosts=[ProxyHost("host", "192.0.2.1", 80)], seconds=self.clock.seconds)
        self.lease: Lease = self.pool.acquire()
        self.deadlines = Deadlines(self.clock, self.clock.seconds)
        self.pair = Pair(self.deadlines, timeouts or Timeouts(), self.outcomes.append)
        self.host = FlowTransport(self.pair.host)
        self.pair.claim(self.lease)
        self.client = FlowTransport(self.pair.client)

    def begin(self, toHost: bytes = b"", toClient: bytes = b"") -> Stage:
        """
        Move bytes.
        """
        self.pair.begin(toHost, toClient)
        return self

    def take(self) -> bytes:
        """
        @return: all that the client gets.
        """
        taken = bytearray()
        while self.client.waiting:
            taken += self.client.take()
        return bytes(taken)

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

    def test_FINsInDelivery(self) -> None:
        """
        A host that has finished, whose end is on its way to the client, and that is reset
        by what the client sends then: the client gets all, the end, and a reset.
        """
        stage = Stage().begin()
        stage.host.send(b"x" * 50_000)
        stage.host.finish()
        stage.host.fail()
        self.assertEqual(stage.outcomes, [])
        self.assertEqual(len(stage.take()), 50_000)
        self.assertTrue(stage.client.finished)
        stage.advance(1)
        self.assertEqual(stage.outcomes, [Outcome.HOST_RESET])
        self.assertTrue(stage.client.aborted)

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


class DeliveryTests(SynchronousTestCase):
    """
    What a side had sent before it failed is delivered, then the other side is reset.

    So it is without a balancer: what has come before a reset can be read behind it, and a
    host that refuses an upload relies on that (RFC 9112, section 9.6). HAProxy and nginx
    deliver it as well.
    """

    def test_answerBeforeReset(self) -> None:
        """
        An answer that the client is slow to take, and of which a part was not even read.
        """
        stage = Stage(Timeouts(fin=5)).begin()
        stage.client.send(b"a long question")
        stage.host.send(b"x" * 300_000)
        self.assertGreater(stage.host.unread, 0)
        stage.host.fail()
        stage.client.send(b"more of it")
        self.assertEqual(stage.host.waiting, 0)
        taken = bytearray()
        while stage.client.waiting:
            stage.advance(4)
            taken += stage.client.take(100_000)
            self.assertEqual(stage.outcomes, [])
        self.assertEqual(bytes(taken), b"x" * 300_000)
        self.assertEqual(stage.client.unread, len(b"more of it"))
        stage.advance(1)
        self.assertEqual(stage.outcomes, [Outcome.HOST_RESET])
        self.assertTrue(stage.client.aborted)
        self.assertTrue(stage.lease.hostFirst)
        self.assertEqual(stage.lease.bytesOut, 300_000)

    def test_question(self) -> None:
        """
        The other way round: what a client had sent before its reset is the host's.
        """
        stage = Stage().begin()
        stage.client.send(b"x" * 300_000)
        stage.client.fail()
        taken = bytearray()
        while stage.host.waiting:
            taken += stage.host.take()
        self.assertEqual(bytes(taken), b"x" * 300_000)
        stage.advance(1)
        self.assertEqual(stage.outcomes, [Outcome.CLIENT_RESET])
        self.assertTrue(stage.host.aborted)

    def test_readToTheEnd(self) -> None:
        """
        A reset that shows when all was read: what was read is delivered.
        """
        stage = Stage().begin()
        stage.host.send(b"answer")
        stage.host.reset()
        self.assertFalse(stage.client.aborted)
        self.assertEqual(stage.client.take(), b"answer")
        stage.advance(1)
        self.assertEqual((stage.client.aborted, stage.outcomes), (True, [Outcome.HOST_RESET]))

    def test_moment(self) -> None:
        """
        What has just arrived can be read for a moment before the reset: some systems drop
        what was not read by then.
        """
        stage = Stage().begin()
        stage.host.send(b"answer")
        stage.client.take()
        stage.host.reset()
        stage.clock.advance(SOON / 2)
        self.assertFalse(stage.client.aborted)
        stage.clock.advance(SOON)
        self.assertTrue(stage.client.aborted)

    def test_atOnce(self) -> None:
        """
        A reset long after the last byte is passed on at once, in the same turn.
        """
        stage = Stage().begin()
        stage.host.send(b"answer")
        stage.client.take()
        stage.advance(1)
        stage.host.reset()
        self.assertTrue(stage.client.aborted)

    def test_failsBeforeItIsRead(self) -> None:
        """
        A host that has answered and reset when it was reached: the client gets the answer.
        """
        stage = Stage()
        stage.host.send(b"answer")
        stage.host.fail()
        stage.client.send(b"question")
        stage.begin(toClient=b"greeting ")
        self.assertEqual(stage.client.take(), b"greeting answer")
        self.assertEqual(stage.client.unread, len(b"question"))
        stage.advance(1)
        self.assertEqual(stage.outcomes, [Outcome.HOST_RESET])

    def test_bothFailed(self) -> None:
        """
        With both gone before anything moved it is over at once.
        """
        stage = Stage()
        stage.host.send(b"answer")
        stage.host.fail()
        stage.client.fail()
        stage.begin()
        self.assertEqual(stage.outcomes, [Outcome.CLIENT_RESET])
        self.assertTrue(stage.client.closed and stage.host.closed)

    def test_targetFails(self) -> None:
        """
        Where the other side fails as well, nobody is left, and both are closed.
        """
        stage = Stage().begin()
        stage.host.send(b"x" * 300_000)
        stage.host.fail()
        stage.client.fail()
        self.assertEqual(stage.outcomes, [Outcome.HOST_RESET])
        self.assertTrue(stage.client.closed and stage.host.closed)
        self.assertEqual(len(stage.deadlines), 0)

    def test_targetIsLost(self) -> None:
        """
        The same where it is closed.
        """
        stage = Stage().begin()
        stage.host.send(b"x" * 300_000)
        stage.host.fail()
        stage.client.reset()
        self.assertEqual(stage.outcomes, [Outcome.HOST_RESET])
        self.assertTrue(stage.host.closed)

    def test_sourceFailsTwice(self) -> None:
        """
        A side that has failed and is told so again goes on.
        """
        stage = Stage().begin()
        stage.host.send(b"x" * 300_000)
        stage.host.fail()
        stage.pair.failed(stage.pair.host)
        self.assertEqual(len(stage.take()), 300_000)

    def test_noProgress(self) -> None:
        """
        A client that takes nothing for as long as the fin timeout is reset.
        """
        for fin, limit in ((5.0, 5.0), (0.0, LONGEST)):
            stage = Stage(Timeouts(fin=fin)).begin()
            stage.host.send(b"x" * 300_000)
            stage.host.fail()
            stage.advance(limit - 1)
            stage.client.take(10)
            stage.advance(limit - 1)
            self.assertEqual(stage.outcomes, [])
            stage.advance(2)
            self.assertEqual(stage.outcomes, [Outcome.HOST_RESET])
            self.assertTrue(stage.client.aborted and stage.host.aborted)

    def test_noProgressInTheEnd(self) -> None:
        """
        The same when all was read, and the client does not take the last of it.
        """
        stage = Stage(Timeouts(fin=5.0)).begin()
        stage.host.send(b"answer")
        stage.host.reset()
        stage.advance(4)
        self.assertEqual(stage.outcomes, [])
        stage.advance(2)
        self.assertEqual(stage.outcomes, [Outcome.HOST_RESET])

    def test_stopped(self) -> None:
        """
        A stop does not wait for it.
        """
        stage = Stage().begin()
        stage.host.send(b"x" * 300_000)
        stage.host.fail()
        stage.pair.abort(Outcome.STOPPED)
        self.assertEqual(stage.outcomes, [Outcome.HOST_RESET])
        self.assertTrue(stage.client.aborted and stage.host.aborted)
        self.assertEqual(len(stage.deadlines), 0)

    def test_looksSeldom(self) -> None:
        """
        It looks whether all has arrived often at first, and then less and less.
        """
        stage = Stage().begin()
        stage.host.send(b"answer")
        stage.host.reset()
        looks: list[float] = []
        seconds = stage.clock.seconds
        delivery = stage.pair._delivery
        assert delivery is not None
        look = delivery._look

        def counted() -> None:
            looks.append(seconds())
            look()

        delivery._look = counted  # type: ignore[method-assign]  # to count
        stage.clock.pump([0.01] * 1000)
        self.assertLess(len(looks), 30)
        self.assertLessEqual(looks[1] - looks[0], 5 * SOON)
        self.assertLessEqual(max(b - a for a, b in itertools.pairwise(looks)), SELDOM + 0.02)

    def test_sleep(self) -> None:
        """
        The time that the process sleeps does not count.
        """
        clock = SleepingClock()
        stage = Stage(Timeouts(fin=5.0), clock).begin()
        stage.host.send(b"answer")
        stage.host.reset()
        clock.sleep(60)
        clock.decide()
        self.assertEqual(stage.outcomes, [])
        self.assertEqual(stage.client.take(), b"answer")
        clock.pump([0.25] * 8)
        self.assertEqual(stage.outcomes, [Outcome.HOST_RESET])
