"""
Both far ends do what they like.
"""

from __future__ import annotations

import contextlib
import os
import socket

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.proxy.fast.stage import TURNS, HandTurned, elsewhere, readSome, reset
from txlb.pool import Outcome
from txlb.proxy.fast._pipes import PipeStock

#: What is sent is cut from this, so that a byte in the wrong place shows.
NOISE = os.urandom(1 << 20) * 3

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "read", "read", "stall", "finish"]),
        st.booleans(),
        st.sampled_from([1, 100, 1448, 16_384, 65_535, 65_536, 65_537, 300_000, 1 << 20]),
    ),
    max_size=24,
)

#: Bytes that the far ends take before they read.
WINDOWS = st.sampled_from([None, 2048, 30_000])


class FarEnd:
    """
    One far end, and what it should have got.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sent = 0
        self.received = bytearray()
        self.finished = False
        self.ended = False

    def write(self, count: int) -> None:
        """
        Write what can be written of the next so many bytes.
        """
        if not self.finished:
            offset = self.sent % (1 << 20)
            try:
                self.sent += self.sock.send(NOISE[offset : offset + count])
            except BlockingIOError:
                return

    def read(self, count: int) -> None:
        """
        Read at most so many bytes.
        """
        data = readSome(self.sock, count)
        if data is not None:
            self.received += data
            self.ended = self.ended or not data

    def finish(self) -> None:
        """
        Write no more.
        """
        if not self.finished:
            self.finished = True
            self.sock.shutdown(socket.SHUT_WR)


def noise(count: int) -> bytes:
    """
    The first so many bytes of what a far end sends.
    """
    whole = NOISE[: 1 << 20]
    return (whole * (count // len(whole) + 1))[:count]


class FuzzTests(SynchronousTestCase):
    """
    The fast relay against a model: what arrives is what was sent.
    """

    def play(self, stage: HandTurned, steps: list[tuple[str, bool, int]]) -> tuple[FarEnd, FarEnd]:
        """
        Let both far ends do the steps.
        """
        stage.addHost()
        client, host = (FarEnd(sock) for sock in stage.connect())
        for step, isClient, count in steps:
            end = client if isClient else host
            if step == "write":
                end.write(count)
            elif step == "read":
                end.read(count)
            elif step == "finish":
                end.finish()
            if step != "stall":
                stage.turn()
        return client, host

    def checkNothingLeft(self, stage: HandTurned, outcome: Outcome | None) -> None:
        """
        The one connection is over, and all is given back.
        """
        self.assertEqual(len(stage.results), 1)
        lease = stage.results[0].lease
        assert lease is not None
        if outcome is not None:
            self.assertEqual(lease.outcome, outcome)
        self.assertEqual((stage.pool.active, stage.relay.connectionCount()), (0, 0))
        self.assertEqual(stage.loop.pipes.made, stage.loop.pipes.free)
        stage.turn()
        self.assertEqual(stage.ownSockets(), 0)

    def check(self, stage: HandTurned, steps: list[tuple[str, bool, int]]) -> None:
        """
        After the steps both ends finish and read to the end.
        """
        client, host = self.play(stage, steps)
        for end in (client, host):
            end.finish()
        for _ in range(TURNS):
            stage.turn()
            for end in (client, host):
                end.read(1 << 20)
            if client.ended and host.ended and stage.results:
                break
        self.assertTrue(client.ended and host.ended)
        self.assertEqual((len(client.received), len(host.received)), (host.sent, client.sent))
        self.assertTrue(client.received == noise(host.sent), "bytes to the client")
        self.assertTrue(host.received == noise(client.sent), "bytes to the host")
        self.checkNothingLeft(stage, Outcome.DONE)
        lease = stage.results[0].lease
        assert lease is not None
        self.assertEqual((lease.bytesIn, lease.bytesOut), (client.sent, host.sent))

    @given(STEPS, WINDOWS, st.booleans())
    @settings(deadline=None, max_examples=150)
    def test_inOrder(
        self, steps: list[tuple[str, bool, int]], window: int | None, near: bool
    ) -> None:
        """
        With pipes.
        """
        stage = HandTurned(window=window)
        try:
            with contextlib.nullcontext() if near else elsewhere():
                self.check(stage, steps)
        finally:
            stage.close()

    @given(STEPS, WINDOWS)
    @settings(deadline=None, max_examples=80)
    def test_withoutPipes(self, steps: list[tuple[str, bool, int]], window: int | None) -> None:
        """
        With no pipe to be had, where bytes are copied.
        """
        stage = HandTurned(window=window)
        stage.loop.pipes = PipeStock(0)
        try:
            self.check(stage, steps)
        finally:
            stage.close()

    @given(STEPS, st.booleans(), WINDOWS)
    @settings(deadline=None, max_examples=80)
    def test_reset(
        self, steps: list[tuple[str, bool, int]], isClient: bool, window: int | None
    ) -> None:
        """
        A reset at any time ends it, and what has arrived is right.
        """
        stage = HandTurned(window=window)
        try:
            client, host = self.play(stage, steps)
            end, other = (client, host) if isClient else (host, client)
            reset(end.sock)
            for _ in range(TURNS):
                stage.turn()
                try:
                    other.read(1 << 20)
                except OSError:
                    break
                if other.ended:
                    break
            stage.relay.abortAll()
            stage.turn()
            self.assertTrue(other.received == noise(len(other.received)))
            self.assertTrue(len(other.received) <= end.sent)
            self.checkNothingLeft(stage, None)
        finally:
            stage.close()
