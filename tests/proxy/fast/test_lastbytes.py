"""
A side fails: what it had sent arrives, and then the other side is reset.

TCP keeps for the reader what came before a reset (RFC 9293, section 3.10.7.4, flushes the
queues of the side that sends; Linux keeps what was received), and HAProxy and nginx deliver
it. RFC 9112, section 9.6, tells of the server that answers, closes, and is sent more: its
client has to get the answer.
"""

from __future__ import annotations

import _socket
import contextlib
import select
import socket
from collections.abc import Iterator
from unittest import mock

from tests.proxy.fast.stage import (
    FAMILIES,
    MUCH,
    TURNS,
    HandTurned,
    StageCase,
    elsewhere,
    readSome,
    reset,
)
from txlb.pool import FailureKind, GaveUpReason, Outcome
from txlb.proxy import Timeouts
from txlb.proxy._sockets import bytesToRead
from txlb.proxy.fast._end import IN, End
from txlb.proxy.fast._lastbytes import LONGEST, SOON
from txlb.proxy.fast._targets import Target

ANSWER = b"HTTP/1.1 413 Content Too Large\r\n\r\n"


def held(end: End) -> int:
    """
    How many bytes of an end the relay and the system hold.
    """
    return bytesToRead(end.fd) + end.piped + len(end.peer.unsent or b"")


class LastBytesCase(StageCase):
    """
    What the tests have in common.
    """

    def sides(
        self, stage: HandTurned, hostFails: bool
    ) -> tuple[socket.socket, socket.socket, End, Outcome]:
        """
        @return: the far end that fails, the other one, the relay's end of the former, and
            how the connection is to end.
        """
        client, server = stage.connect()
        connection = stage.connection()
        if hostFails:
            return server, client, connection._host, Outcome.HOST_RESET
        return client, server, connection._client, Outcome.CLIENT_RESET

    def ways(self) -> Iterator[tuple[socket.AddressFamily, bool]]:
        """
        Each family of sockets, and whether the host fails or the client.
        """
        for family in FAMILIES:
            for hostFails in (True, False):
                with self.subTest(family=family, hostFails=hostFails):
                    yield family, hostFails

    def readToReset(self, stage: HandTurned, end: socket.socket, most: int = 1 << 20) -> bytes:
        """
        Read until the connection is reset. On a UNIX socket the end, or an error, is all
        that there can be.

        @param most: bytes that are read at once.
        """
        received = bytearray()
        for _ in range(TURNS):
            try:
                data = readSome(end, most)
            except ConnectionError:
                return bytes(received)
            if data == b"":
                self.assertEqual(end.family, socket.AF_UNIX, "an end in good order")
                return bytes(received)
            received += data or b""
            stage.turn()
            stage.reactor.advance(0.001)
        raise AssertionError("no reset came")

    def over(self, stage: HandTurned, outcome: Outcome, host: str = "host") -> None:
        """
        The one connection has ended so, nothing is left, and the host is not put out.
        """
        self.assertEnded(stage, outcome)
        self.assertEqual(stage.pool.getHost(host).stateWord, "up")
        self.assertEqual(stage.pool.getHost(host).counters.failures, 0)
        stage.turn()
        self.assertEqual(stage.ownSockets(), 0)


class SmallTests(LastBytesCase):
    """
    Few bytes, and nobody is slow.
    """

    def answer(self, stage: HandTurned, far: socket.socket, other: socket.socket) -> None:
        """
        Let a far end answer and close with bytes unread, for which its system resets.
        """
        other.send(b"question")
        stage.turn(3)
        far.send(ANSWER)
        far.close()

    def test_theEventIsFirst(self) -> None:
        """
        The relay is told of answer and reset at once.
        """
        for family, hostFails in self.ways():
            stage = self.stage(family)
            far, other, _, outcome = self.sides(stage, hostFails)
            self.answer(stage, far, other)
            self.assertEqual(self.readToReset(stage, other), ANSWER)
            self.over(stage, outcome)
            lease = stage.results[0].lease
            assert lease is not None
            moved = (8, len(ANSWER)) if hostFails else (len(ANSWER), 8)
            self.assertEqual((lease.bytesIn, lease.bytesOut), moved)
            self.assertEqual(lease.hostFirst, hostFails)

    def test_theWriteIsFirst(self) -> None:
        """
        The relay writes before it has read the answer, and that fails. This is the upload
        that nobody reads: curl gets its 413 by it.
        """
        for family, hostFails in self.ways():
            stage = self.stage(family)
            far, other, end, outcome = self.sides(stage, hostFails)
            self.answer(stage, far, other)
            other.send(b"more")
            end.peer.pump(IN)
            self.assertEqual(self.readToReset(stage, other), ANSWER)
            self.over(stage, outcome)

    def test_afterItsEnd(self) -> None:
        """
        A host answers, closes in good order, and is sent more: its answer and its end have
        arrived before the reset.
        """
        for family, hostFails in self.ways():
            stage = self.stage(family)
            far, other, _, outcome = self.sides(stage, hostFails)
            far.send(ANSWER)
            far.close()
            stage.turn(3)
            other.send(b"more")
            stage.turn(3)
            if family != socket.AF_UNIX:
                other.send(b"and more")
                stage.turn(3)
            received = bytearray()
            for _ in range(TURNS):
                try:
                    data = readSome(other, 100)
                except ConnectionError:
                    break
                received += data or b""
                if data == b"":
                    break
            self.assertEqual(bytes(received), ANSWER)
            for _ in range(TURNS):
                if stage.results:
                    break
                stage.turn()
                stage.reactor.advance(0.001)
            self.over(stage, outcome)

    def test_aMomentToRead(self) -> None:
        """
        What has arrived can be read for a moment before the reset, as some systems drop
        what was not read by then. Nobody waits where nothing was moved.
        """
        stage = self.stage()
        far, other, _, outcome = self.sides(stage, True)
        self.answer(stage, far, other)
        stage.turn(3)
        stage.reactor.advance(SOON / 2)
        self.assertEqual((stage.results, readSome(other, 100)), ([], ANSWER))
        stage.reactor.advance(SOON)
        self.assertRaises(ConnectionResetError, self.readAllOf, stage, other)
        self.over(stage, outcome)

        stage = self.stage()
        far, other, _, outcome = self.sides(stage, True)
        stage.reactor.advance(1.0)
        reset(far)
        stage.turn(3)
        self.assertRaises(ConnectionResetError, readSome, other, 100)
        self.over(stage, outcome)

    def readAllOf(self, stage: HandTurned, end: socket.socket) -> None:
        """
        Read until an error, for a few turns.
        """
        for _ in range(10):
            stage.turn()
            stage.reactor.advance(0.001)
            readSome(end, 100)

    def test_sendsOn(self) -> None:
        """
        A peer of a UNIX socket that reads no more makes writes to it fail, and may still
        send.
        """
        stage = self.stage(socket.AF_UNIX)
        far, other, _, outcome = self.sides(stage, True)
        far.shutdown(socket.SHUT_RD)
        other.send(b"question")
        stage.turn(3)
        for part in (ANSWER, b"x" * 200_000):
            received = bytearray()
            sent = 0
            while len(received) < len(part):
                with contextlib.suppress(BlockingIOError):
                    sent += far.send(part[sent:])
                stage.turn()
                received += readSome(other, 1 << 20) or b""
            self.assertEqual(bytes(received), part)
        self.assertEqual(stage.results, [])
        far.close()
        stage.turn(3)
        self.assertEqual(self.readToReset(stage, other), b"")
        self.over(stage, outcome)

    def test_shutdownFails(self) -> None:
        """
        A side that can't be told of the other's end has failed: what it had sent arrives.
        """
        stage = self.stage()
        far, other, end, outcome = self.sides(stage, True)
        far.send(ANSWER)
        gone = mock.Mock(wraps=end.socket())
        gone.shutdown.side_effect = OSError(107, "Transport endpoint is not connected")
        end._sock = gone
        other.shutdown(socket.SHUT_WR)
        stage.connection()._client.pump(IN)
        self.assertEqual(self.readToReset(stage, other), ANSWER)
        self.over(stage, outcome)


class MuchTests(LastBytesCase):
    """
    A side sends much, and the other does not read.
    """

    def stuff(self, stage: HandTurned, end: socket.socket) -> int:
        """
        Send to a far end that does not read until nothing more goes.

        @return: how many bytes went.
        """
        sent = quiet = 0
        while quiet < 20 and sent < len(MUCH):
            try:
                sent += end.send(MUCH[sent : sent + (1 << 20)])
                quiet = 0
            except BlockingIOError:
                quiet += 1
            stage.turn()
        return sent

    def check(self, stage: HandTurned, hostFails: bool, blocked: bool, most: int) -> None:
        """
        All that has reached the relay arrives, and nothing else.

        @param blocked: whether the relay has bytes for the side that fails, too.
        @param most: bytes that the reader takes at once.
        """
        far, other, end, outcome = self.sides(stage, hostFails)
        if blocked:
            self.stuff(stage, other)
        else:
            other.send(b"question")
            stage.turn(3)
        sent = self.stuff(stage, far)
        # With bytes unread: a reset.
        far.close()
        lease = stage.connection().lease
        due = held(end) + (lease.bytesOut if hostFails else lease.bytesIn)
        if stage.family == socket.AF_UNIX:
            self.assertEqual(due, sent)
        self.assertTrue(due > 0)
        received = self.readToReset(stage, other, most)
        self.assertEqual(len(received), due)
        self.assertTrue(received == MUCH[:due], "other bytes")
        self.over(stage, outcome)
        self.assertEqual(lease.bytesOut if hostFails else lease.bytesIn, due)

    def test_throughPipes(self) -> None:
        """
        By splice.
        """
        for family, hostFails in self.ways():
            for window in (None, 4096):
                self.check(self.stage(family, window=window), hostFails, False, 1 << 20)

    def test_copied(self) -> None:
        """
        Without pipes.
        """
        for family, hostFails in self.ways():
            self.check(self.stage(family, pipes=False), hostFails, False, 1 << 20)

    def test_bothWays(self) -> None:
        """
        What was for the side that failed is dropped, in pipes and elsewhere.
        """
        for family, hostFails in self.ways():
            for pipes in (True, False):
                self.check(self.stage(family, pipes=pipes), hostFails, True, 1 << 20)

    def test_slowly(self) -> None:
        """
        To a side that reads little at a time.
        """
        for family, hostFails in self.ways():
            self.check(self.stage(family, window=4096), hostFails, False, 30_000)

    def test_inTheBuffersOfTheSystem(self) -> None:
        """
        What the relay has written lies with the system until the other side takes it. A
        reset would drop it there, so that waits.
        """
        stage = self.stage(window=2048)
        far, other, _, outcome = self.sides(stage, True)
        part = MUCH[:30_000]
        stage.connection()._client.socket().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
        far.send(part)
        stage.turn(5)
        reset(far)
        stage.turn(5)
        connection = stage.connection()
        self.assertEqual((connection.lease.bytesOut, held(connection._host)), (len(part), 0))
        stage.reactor.advance(1.0)
        self.assertEqual(stage.results, [])
        self.assertTrue(self.readToReset(stage, other, 1000) == part)
        self.over(stage, outcome)

    def test_pipesThatTheEventIsAbout(self) -> None:
        """
        The reset comes while the other side could be written to again: bytes in pipes and
        in the system's buffers arrive.
        """
        for family, hostFails in self.ways():
            stage = self.stage(family)
            far, other, end, outcome = self.sides(stage, hostFails)
            sent = self.stuff(stage, far)
            self.assertTrue(end.piped > 0)
            received = readSome(other, 1 << 20) or b""
            if family == socket.AF_UNIX:
                far.close()
            else:
                reset(far)
            lease = stage.connection().lease
            due = held(end) + (lease.bytesOut if hostFails else lease.bytesIn)
            received += self.readToReset(stage, other)
            self.assertTrue(received == MUCH[:due], (len(received), due, sent))
            if family != socket.AF_UNIX:
                self.over(stage, outcome)


class BoundsTests(LastBytesCase):
    """
    Last bytes that nobody takes.
    """

    def stuck(self, stage: HandTurned) -> tuple[socket.socket, socket.socket, Outcome]:
        """
        A connection whose host has failed, and whose client does not read.
        """
        far, other, _, outcome = self.sides(stage, True)
        for _ in range(200):
            with contextlib.suppress(BlockingIOError):
                far.send(MUCH[: 1 << 20])
            stage.turn()
        reset(far)
        stage.turn(5)
        self.assertEqual(stage.results, [])
        return far, other, outcome

    def pass_(self, stage: HandTurned, seconds: float) -> None:
        """
        Let time pass.
        """
        for _ in range(round(seconds * 10)):
            stage.turn()
            stage.reactor.advance(0.1)

    def test_finTimeout(self) -> None:
        """
        A side that takes nothing for the C{fin} timeout is reset.
        """
        for pipes in (True, False):
            stage = self.stage(timeouts=Timeouts(fin=2.0), pipes=pipes)
            outcome = self.stuck(stage)[-1]
            self.pass_(stage, 1.5)
            self.assertEqual(stage.results, [])
            # What it has taken between two looks counts, as the system delivers by itself.
            self.pass_(stage, 20.0)
            self.over(stage, outcome)

    def test_progress(self) -> None:
        """
        A side that takes a little now and then is not.
        """
        stage = self.stage(timeouts=Timeouts(fin=1.0), window=4096)
        _, other, outcome = self.stuck(stage)
        connection = stage.connection()
        assert connection._lastBytes is not None
        due = held(connection._host) + connection.lease.bytesOut + len(connection._lastBytes._left)
        received = 0
        for _ in range(20):
            self.pass_(stage, 0.5)
            received += len(readSome(other, 5000) or b"")
            stage.turn()
        self.assertEqual(stage.results, [])
        received += len(self.readToReset(stage, other))
        self.assertEqual(received, due)
        self.over(stage, outcome)

    def test_withoutATimeout(self) -> None:
        """
        Without that timeout there is one all the same.
        """
        stage = self.stage(timeouts=Timeouts(idle=0, fin=0))
        outcome = self.stuck(stage)[-1]
        # The system may still bring a few bytes to the client, by its own clock. Each time
        # begins anew with them.
        for _ in range(5):
            if not stage.results:
                self.pass_(stage, LONGEST * 2 + 1)
        self.over(stage, outcome)

    def test_stopped(self) -> None:
        """
        A stop waits for none of them.
        """
        stage = self.stage()
        outcome = self.stuck(stage)[-1]
        stage.relay.abortAll()
        self.over(stage, outcome)

    def test_targetFails(self) -> None:
        """
        If the other side fails too, it is over. The first one counts.
        """
        for family in FAMILIES:
            stage = self.stage(family)
            if family == socket.AF_UNIX:
                far, other, _, outcome = self.sides(stage, True)
                for _ in range(200):
                    with contextlib.suppress(BlockingIOError):
                        far.send(MUCH[: 1 << 20])
                    stage.turn()
                far.close()
                other.send(b"more")
                stage.turn(3)
            else:
                _, other, outcome = self.stuck(stage)
            reset(other)
            for _ in range(20):
                stage.turn()
            self.over(stage, outcome)

    def test_breaks(self) -> None:
        """
        What one of its handlers raises ends this connection alone.
        """
        stage = self.stage()
        with mock.patch(
            "txlb.proxy.fast._lastbytes.LastBytes._give", side_effect=ValueError("broken")
        ):
            far, _, _, outcome = self.sides(stage, True)
            reset(far)
            stage.turn(3)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.over(stage, outcome)


class AtTheStartTests(LastBytesCase):
    """
    The host fails as soon as it is there. It was reached, so that it is not put out, and
    the search for a host is over: no other one is tried.
    """

    def soon(self, stage: HandTurned, close: bool = False) -> mock._patch[object]:
        """
        Let the host answer and reset before the relay learns that it is there.

        @param close: whether it closes in good order.
        """
        connect = Target.connect

        def connectAndBeReset(target: Target) -> tuple[_socket.socket, int]:
            answer = connect(target)
            self.answer(stage, close)
            return answer

        return mock.patch.object(Target, "connect", connectAndBeReset)

    def answer(self, stage: HandTurned, close: bool) -> None:
        """
        Let the host answer and reset.
        """
        server = stage.accept()
        server.send(ANSWER)
        if close:
            server.close()
        else:
            reset(server)

    def test_reset(self) -> None:
        """
        Right after accept, where the relay asks at once and where the loop tells it; with
        a client that has sent something and one that has not.
        """
        for family in FAMILIES:
            for near in (True, False):
                for question in (b"", b"question"):
                    stage = self.stage(family)
                    client, fd = stage.client()
                    if question:
                        client.send(question)
                    with contextlib.nullcontext() if near else elsewhere(), self.soon(stage):
                        stage.begin(fd)
                        received = self.readToEnd(stage, client)
                    self.assertEqual(received, ANSWER, (family, near, question))
                    if family != socket.AF_UNIX or question:
                        self.over(stage, Outcome.HOST_RESET)

    def test_close(self) -> None:
        """
        A UNIX socket whose peer has closed gives EPIPE for any write, also for one of
        nothing, and yet it was connected.
        """
        for near in (True, False):
            stage = self.stage(socket.AF_UNIX)
            client, fd = stage.client()
            with contextlib.nullcontext() if near else elsewhere(), self.soon(stage, True):
                stage.begin(fd)
                self.assertEqual(self.readToEnd(stage, client), ANSWER)
            client.close()
            stage.turn(3)
            self.over(stage, Outcome.DONE)

    def readToEnd(self, stage: HandTurned, end: socket.socket) -> bytes:
        """
        Read to the end, or to a reset.
        """
        received = bytearray()
        for _ in range(TURNS):
            with contextlib.suppress(ConnectionError):
                data = readSome(end, 1 << 20)
                received += data or b""
                if data != b"":
                    stage.turn()
                    stage.reactor.advance(0.001)
                    continue
            break
        return bytes(received)

    def test_refused(self) -> None:
        """
        A connection that never stood has failed as before.
        """
        for near in (True, False):
            stage = self.stage()
            stage.listener.close()
            _, fd = stage.client()
            with contextlib.nullcontext() if near else elsewhere():
                stage.begin(fd)
                stage.turn(3)
            gaveUp = stage.results[0].gaveUp
            assert gaveUp is not None and gaveUp.failure is not None
            self.assertEqual(gaveUp.reason, GaveUpReason.UNREACHABLE)
            self.assertEqual(gaveUp.failure.kind, FailureKind.REFUSED)
            self.assertEqual(stage.pool.getHost("host").stateWord, "down")

    def test_handedOver(self) -> None:
        """
        What was handed over for the client comes before the answer, also if the host has
        failed before it got its own part.
        """
        for family in FAMILIES:
            for near in (True, False):
                stage = self.stage(family)
                client, fd = stage.client()
                with contextlib.nullcontext() if near else elsewhere(), self.soon(stage):
                    stage.begin(fd, toHost=b"header ", toClient=b"greeting ")
                    self.assertEqual(self.readToEnd(stage, client), b"greeting " + ANSWER)
                self.over(stage, Outcome.HOST_RESET)
                lease = stage.results[0].lease
                assert lease is not None
                self.assertEqual((lease.bytesIn, lease.bytesOut), (0, len(ANSWER)))

    def test_handedOverByAClientThatIsGone(self) -> None:
        """
        The host gets what was handed over for it before what a client sent that is gone.
        """
        stage = self.stage()
        client, fd = stage.client()
        client.send(b"question")
        reset(client)
        stage.begin(fd, toHost=b"header ", toClient=b"greeting ")
        server = stage.accept()
        self.assertEqual(self.readToReset(stage, server), b"header question")
        self.over(stage, Outcome.CLIENT_RESET)

    def test_theClientIsWatched(self) -> None:
        """
        A client that takes its time is heard of though its host failed before the loop
        knew the client.
        """
        part = MUCH[: 4 << 20]
        stage = self.stage(window=4096)
        client, fd = stage.client()
        client.send(b"question")
        with self.soon(stage):
            stage.begin(fd, toClient=part)
        stage.turn(5)
        self.assertTrue(self.readToReset(stage, client) == part + ANSWER)
        self.over(stage, Outcome.HOST_RESET)

    def test_hungUp(self) -> None:
        """
        A socket that has hung up without an error was not connected.
        """
        stage = self.stage()
        _, fd = stage.client()
        with elsewhere():
            stage.begin(fd)
        search = stage.connection().search
        assert search is not None
        search.event(select.EPOLLHUP)
        gaveUp = stage.results[0].gaveUp
        assert gaveUp is not None and gaveUp.failure is not None
        self.assertEqual(gaveUp.failure.kind, FailureKind.REFUSED)
