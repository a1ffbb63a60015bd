"""
Both relays against a model: what arrives is what was sent.

Far ends write, with urgent bytes and with descriptors beside them, read or don't, finish,
reset with something unread, and the process sleeps meanwhile. They are TCP over IPv4 and
IPv6, and UNIX sockets.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.proxy.fuzz import FAMILIES, FarEnd, FuzzStage, noise
from txlb.pool import Outcome

Steps = list[tuple[str, bool, int]]

#: How many bytes are written or read.
COUNTS = st.sampled_from([1, 100, 1448, 16_384, 65_535, 65_536, 65_537, 300_000, 1 << 20])

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("write", "write", "write", "read", "read"),
                *("urgent", "descriptor", "stall", "finish", "sleep"),
            ]
        ),
        st.booleans(),
        COUNTS,
    ),
    max_size=24,
)

#: Bytes that the far ends take before they read.
WINDOWS = st.sampled_from([None, 2048, 30_000])

FAMILY = st.sampled_from(FAMILIES)


#: The fast relay, with a host that is taken for near or not and where no pipe is to be had,
#: and the portable one.
RELAYS = st.sampled_from(["fast", "fast elsewhere", "fast copying", "portable"])

#: As many examples for each of them as for any other test.
ENOUGH = settings(max_examples=4 * settings().max_examples)


class FuzzTests(SynchronousTestCase):
    """
    Both relays.
    """

    def play(self, stage: FuzzStage, steps: Steps) -> tuple[FarEnd, FarEnd]:
        """
        Let both far ends do the steps.
        """
        client, host = stage.connect()
        for step, isClient, count in steps:
            end = client if isClient else host
            if step == "write":
                end.write(count)
            elif step == "urgent":
                end.writeUrgent()
            elif step == "descriptor":
                end.writeWithDescriptor(count)
            elif step == "read":
                end.read(count)
            elif step == "finish":
                end.finish()
            elif step == "sleep":
                stage.sleep()
            if step != "stall":
                stage.turn()
        return client, host

    def checkNothingLeft(self, stage: FuzzStage) -> None:
        """
        The one connection is over, and all is given back.
        """
        self.assertEqual(len(stage.results), 1)
        self.assertEqual((stage.pool.active, stage.relay.connectionCount()), (0, 0))
        self.assertTrue(stage.pool.getHost("host").isIn)
        if stage.loop is not None:
            self.assertEqual(stage.loop.pipes.made, stage.loop.pipes.free)
        stage.turn(3)
        self.assertEqual(stage.ownSockets(), 0)

    @given(RELAYS, STEPS, FAMILY, FAMILY, WINDOWS)
    @ENOUGH
    def test_inOrder(
        self, relay: str, steps: Steps, clientFamily: str, hostFamily: str, window: int | None
    ) -> None:
        """
        After the steps both ends finish and read to the end: every byte has arrived.
        """
        stage = FuzzStage(relay, clientFamily, hostFamily, window)
        try:
            client, host = self.play(stage, steps)
            client.finish()
            host.finish()
            stage.settle(client, host)
            for end, other in ((client, host), (host, client)):
                self.assertTrue(end.ended, "it has the end")
                self.assertEqual(len(end.received), other.sent)
                self.assertTrue(end.received == noise(other.sent), "it has the right bytes")
            self.checkNothingLeft(stage)
            lease = stage.results[0].lease
            assert lease is not None
            self.assertEqual(lease.outcome, Outcome.DONE)
            self.assertEqual((lease.bytesIn, lease.bytesOut), (client.sent, host.sent))
        finally:
            stage.close()

    @given(RELAYS, STEPS, st.booleans(), st.booleans(), FAMILY, FAMILY, WINDOWS)
    @ENOUGH
    def test_reset(
        self,
        relay: str,
        steps: Steps,
        isClient: bool,
        abruptly: bool,
        clientFamily: str,
        hostFamily: str,
        window: int | None,
    ) -> None:
        """
        After the steps one end closes, with something unread or with a reset. The other
        one gets what the relay's system had by then, and is closed too.
        """
        stage = FuzzStage(relay, clientFamily, hostFamily, window)
        try:
            client, host = self.play(stage, steps)
            end, other = (client, host) if isClient else (host, client)
            end.close(abruptly)
            # It goes on, and so finds out.
            other.write(1000)
            other.finish()
            stage.settle(other)
            self.assertTrue(other.isOver, "it is told")
            self.assertGreaterEqual(len(other.received), end.arrived)
            self.assertLessEqual(len(other.received), end.sent)
            self.assertTrue(other.received == noise(len(other.received)), "the right bytes")
            self.checkNothingLeft(stage)
        finally:
            stage.close()
