"""
Connections of the fast relay when the system has its moods: errors, silence,
narrow windows, no pipes.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

from tests.proxy.fast.stage import (
    FAMILIES,
    MUCH,
    TURNS,
    HandTurned,
    StageCase,
    delivered,
    elsewhere,
    readSome,
    reset,
    underWay,
)
from txlb.pool import DialLimits, GaveUpReason, Lease, Outcome
from txlb.proxy import Timeouts
from txlb.proxy.fast import _bulk
from txlb.proxy.fast._bulk import LEFT, SMALL
from txlb.proxy.fast._connection import EARLY
from txlb.proxy.fast._end import CHUNK, End
from txlb.proxy.fast._pipes import PipePool
from txlb.proxy.fast._readbatching import MUCH as MANY
from txlb.proxy.fast._readbatching import QUIET, TICK
from txlb.proxy.fast._targets import Target

NO_ROUTE = OSError(113, "No route to host")


class Gone:
    """
    Stands for a socket that can't be shut down.
    """

    def __init__(self, sock: object) -> None:
        self._sock = sock

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)

    def shutdown(self, how: int) -> None:
        """
        Fail.
        """
        raise OSError(107, "Transport endpoint is not connected")


def failing(call: str, end: End) -> contextlib.AbstractContextManager[object]:
    """
    Let a system call fail for the socket of one end.

    @param call: where the name of it is looked up.
    """
    module, _, name = call.rpartition(".")
    original = getattr(os, name)
    unlucky = end.fd

    def callOrFail(fd: int, *arguments: object) -> object:
        if fd == unlucky:
            raise NO_ROUTE
        return original(fd, *arguments)

    return mock.patch(f"{module}.{name}", callOrFail)


class MoodsCase(StageCase):
    """
    What the tests have in common.
    """

    def over(
        self, stage: HandTurned, outcome: Outcome, reader: socket.socket | None = None
    ) -> None:
        """
        The one connection has ended so, and nothing is left.

        @param reader: a far end that reads meanwhile.
        """
        for _ in range(TURNS):
            if stage.results:
                break
            stage.turn()
            if reader is not None:
                readSome(reader, 1 << 20)
            # A side that gets a reset has a moment to read before that.
            stage.reactor.advance(0.001)
        self.assertEnded(stage, outcome)

    def stuff(self, stage: HandTurned, end: socket.socket) -> int:
        """
        Send to somebody who does not read until nothing more goes.

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

    def readAll(self, stage: HandTurned, end: socket.socket, count: int) -> bytes:
        """
        Read so many bytes, or to the end.
        """
        received = bytearray()
        for _ in range(TURNS):
            data = readSome(end, 1 << 20)
            if data is not None:
                received += data
                if not data or len(received) >= count:
                    break
            else:
                # The last of a long burst may be waiting for a look.
                stage.reactor.advance(TICK)
            stage.turn()
        return bytes(received)


class BlockedTests(MoodsCase):
    """
    One side does not read.
    """

    def test_bothWaysAtOnce(self) -> None:
        """
        With both sides full, what each has sent arrives when it is read.
        """
        for pipes in (None, 0):
            stage = self.stage(window=4096)
            if pipes is not None:
                stage.loop.pipes = PipePool(pipes)
            client, server = stage.connect()
            toHost, toClient = self.stuff(stage, client), self.stuff(stage, server)
            self.assertEqual(self.readAll(stage, server, toHost), MUCH[:toHost])
            self.assertEqual(self.readAll(stage, client, toClient), MUCH[:toClient])
            client.close()
            server.close()
            self.over(stage, Outcome.DONE)

    def test_readerResets(self) -> None:
        """
        So does a reset of the side that did not read.
        """
        for pipes in (None, 0):
            stage = self.stage()
            if pipes is not None:
                stage.loop.pipes = PipePool(pipes)
            client, server = stage.connect()
            self.stuff(stage, server)
            reset(client)
            self.over(stage, Outcome.CLIENT_RESET)

    def test_endBehindBlocked(self) -> None:
        """
        An end in good order waits until what is before it was read.
        """
        for pipes in (None, 0):
            stage = self.stage(window=4096)
            if pipes is not None:
                stage.loop.pipes = PipePool(pipes)
            client, server = stage.connect()
            sent = self.stuff(stage, client)
            client.shutdown(socket.SHUT_WR)
            stage.turn(5)
            self.assertEqual(self.readAll(stage, server, 1 << 30), MUCH[:sent])
            server.close()
            self.over(stage, Outcome.DONE)


class SlowReaderTests(MoodsCase):
    """
    What is kept for a side that does not read.
    """

    def test_nothing(self) -> None:
        """
        What it does not take stays with the system where the bytes are copied. A pipe, if
        there is one, holds the rest. HAProxy keeps a buffer of 16 KiB.
        """
        for pipes in (PipePool(), PipePool(0)):
            for family in FAMILIES:
                stage = self.stage(family=family)
                stage.loop.pipes = pipes
                client, server = stage.connect()
                sent = self.stuff(stage, server)
                end = stage.connection()._client
                kept = len(end.unsent or b"")
                self.assertTrue(kept <= (LEFT if family == socket.AF_UNIX else 0), kept)
                self.assertTrue(end.blocked)
                self.assertTrue(self.readAll(stage, client, sent) == MUCH[:sent])
                client.close()
                server.close()
                self.over(stage, Outcome.DONE)

    def test_fromTheStart(self) -> None:
        """
        What it does not take of the first bytes is kept, as there was no reason to copy them
        carefully. Of what follows no more than that is.
        """
        stage = self.stage(window=4096)
        stage.loop.pipes = PipePool(0)
        client, server = stage.connect()
        end = stage.connection()._client
        first = MUCH[:CHUNK]
        sent = server.send(first)
        stage.turn(5)
        self.assertTrue(0 < len(end.unsent or b"") <= CHUNK)
        received = b""
        while end.unsent is not None:
            received += readSome(client, 1000) or b""
            stage.turn()
        for _ in range(20):
            with contextlib.suppress(BlockingIOError):
                sent += server.send(MUCH[sent : sent + CHUNK])
            stage.turn()
            self.assertIsNone(end.unsent)
        received += self.readAll(stage, client, sent - len(received))
        self.assertTrue(received == MUCH[:sent])


class BurstTests(MoodsCase):
    """
    When a direction goes through a pipe, and when it does no longer.
    """

    def test_begins(self) -> None:
        """
        It does after as much as is read at once, and not for less.
        """
        stage = self.stage()
        client, server = stage.connect()
        end = stage.connection()._client
        for size, wanted in ((1000, False), (CHUNK, True)):
            client.sendall(MUCH[:size])
            self.assertEqual(self.readAll(stage, server, size), MUCH[:size])
            self.assertEqual(end.bulk, wanted)

    def test_pause(self) -> None:
        """
        A turn that finds nothing says nothing: what comes next goes through the pipe
        too, of which none is held meanwhile. Little that comes ends it.
        """
        for pipes in (None, 0):
            stage = self.stage()
            if pipes is not None:
                stage.loop.pipes = PipePool(pipes)
            client, server = stage.connect()
            end = stage.connection()._client
            client.sendall(MUCH[:CHUNK])
            self.assertEqual(self.readAll(stage, server, CHUNK), MUCH[:CHUNK])
            for _ in range(3):
                stage.loop.queueBulk(end)
                stage.turn()
                self.assertTrue(end.bulk)
                self.assertIsNone(end.pipe)
            client.sendall(MUCH[: SMALL - 1])
            self.assertEqual(self.readAll(stage, server, SMALL - 1), MUCH[: SMALL - 1])
            stage.turn()
            self.assertFalse(end.bulk)


class SmallPipesTests(MoodsCase):
    """
    The system grants no pipes that are worth it.
    """

    def test_copied(self) -> None:
        """
        A burst is copied, in the same large steps as without any pipe.
        """
        stage = self.stage()
        client, server = stage.connect()
        splice = mock.Mock(side_effect=AssertionError("spliced"))
        small = mock.patch("txlb.proxy.fast._pipes.Pipe._grow", return_value=8192)
        with small, mock.patch("os.splice", splice):
            client.sendall(MUCH[: CHUNK * 3])
            received = self.readAll(stage, server, CHUNK * 3)
        self.assertTrue(received == MUCH[: CHUNK * 3])
        self.assertEqual(stage.loop.pipes.made, 0)
        self.assertFalse(splice.called)


class ReadBatchingTests(MoodsCase):
    """
    A client that has sent much for long is read less often.
    """

    def batchedClient(self, stage: HandTurned) -> tuple[socket.socket, socket.socket, End, int]:
        """
        A client that has sent so much that its end is batched.

        @return: the client, its host, the end, and how many bytes are under way.
        """
        client, server = stage.connect()
        end = stage.connection()._client
        sent = received = 0
        for _ in range(TURNS):
            if end.batched:
                break
            with contextlib.suppress(BlockingIOError):
                sent += client.send(MUCH[: 1 << 20])
            stage.turn()
            received += len(readSome(server, 1 << 20) or b"")
        self.assertTrue(end.batched)
        self.assertEqual(len(stage.loop.batching), 1)
        quiet = 0
        while quiet < 20:
            stage.turn()
            data = readSome(server, 1 << 20)
            # The system may be slow to bring all that was sent.
            quiet = quiet + 1 if data is None and not underWay(client) else 0
            received += len(data or b"")
        return client, server, end, sent - received

    def look(self, stage: HandTurned) -> None:
        stage.reactor.advance(TICK)
        stage.turn(3)

    def test_itsLastBytes(self) -> None:
        """
        Less than is waited for arrives two looks later. Once nothing has come for some looks,
        the system reports each byte again.
        """
        stage = self.stage()
        client, server, end, left = self.batchedClient(stage)
        self.assertTrue(left < MANY, left)
        client.send(b"x" * 1000)
        delivered(client)
        for _ in range(2):
            self.look(stage)
        self.assertEqual(self.readAll(stage, server, left + 1000)[left:], b"x" * 1000)
        self.assertTrue(end.batched)
        for _ in range(QUIET + 2):
            self.look(stage)
        self.assertEqual((end.batched, len(stage.loop.batching)), (False, 0))
        client.send(b"y")
        delivered(client)
        stage.turn(2)
        server.settimeout(10)
        self.assertEqual(server.recv(10), b"y")

    def test_heldUp(self) -> None:
        """
        An end whose peer takes no more is batched no more, as its own bytes are not awaited.
        """
        stage = self.stage()
        client, server, end, left = self.batchedClient(stage)
        sent, full = 0, 0
        while full < 20:
            try:
                sent += client.send(MUCH[: 1 << 20])
                full = 0
            except BlockingIOError:
                full += 1
            stage.turn()
        self.assertTrue(end.isHeldUp)
        for _ in range(2):
            self.look(stage)
        self.assertEqual((end.batched, len(stage.loop.batching)), (False, 0))
        self.assertEqual(len(self.readAll(stage, server, left + sent)), left + sent)

    def test_staysWhileItSends(self) -> None:
        """
        As long as much comes between two looks nothing changes.
        """
        stage = self.stage()
        client, server, end, _ = self.batchedClient(stage)
        for _ in range(5):
            sent = 0
            while sent < 3 * MANY:
                with contextlib.suppress(BlockingIOError):
                    sent += client.send(MUCH[: 3 * MANY - sent])
                stage.turn()
                readSome(server, 1 << 20)
            ends = time.monotonic() + 10
            while underWay(client) and time.monotonic() < ends:
                stage.turn()
                readSome(server, 1 << 20)
            stage.turn(3)
            stage.reactor.advance(TICK)
            self.assertTrue(end.batched)

    def test_itsEnd(self) -> None:
        """
        The end of the connection is told of at once, with all that is before it.
        """
        stage = self.stage()
        client, server, _, left = self.batchedClient(stage)
        client.send(b"x" * 1000)
        client.close()
        stage.turn(3)
        self.assertEqual(self.readAll(stage, server, left + 2000)[left:], b"x" * 1000)
        server.close()
        self.over(stage, Outcome.DONE)
        stage.reactor.advance(TICK)
        self.assertEqual(len(stage.loop.batching), 0)

    def test_stopped(self) -> None:
        """
        A loop that stops looks at nobody any more.
        """
        stage = self.stage()
        self.batchedClient(stage)
        stage.loop.batching.stop()
        self.assertEqual(len(stage.loop.batching), 0)

    def test_notToBeHad(self) -> None:
        """
        Where the system knows nothing of it, all goes on as before.
        """
        stage = self.stage()
        stage.connect()
        end = stage.connection()._client
        with mock.patch.object(End, "socket", side_effect=OSError(92, "no such option")):
            stage.loop.batching.begin(end)
        self.assertEqual((end.batched, len(stage.loop.batching)), (False, 0))


class ErrorTests(MoodsCase):
    """
    A socket fails in the middle.
    """

    def test_failsWhileMoving(self) -> None:
        """
        Whichever call fails, the connection ends, and says whose fault it was.
        """
        wanted = [
            ("_client", "read", "client", Outcome.CLIENT_RESET),
            ("_host", "write", "client", Outcome.HOST_RESET),
            ("_host", "read", "server", Outcome.HOST_RESET),
            ("_client", "write", "server", Outcome.CLIENT_RESET),
        ]
        for end, call, who, outcome in wanted:
            stage = self.stage()
            client, server = stage.connect()
            connection = stage.connection()
            with failing(f"txlb.proxy.fast._end.{call}", getattr(connection, end)):
                {"client": client, "server": server}[who].send(b"x")
                self.over(stage, outcome)

    def test_splitFails(self) -> None:
        """
        So it is where the bytes go through a pipe.
        """
        original = os.splice
        for failing, outcome in ((0, Outcome.CLIENT_RESET), (1, Outcome.HOST_RESET)):
            stage = self.stage()
            client, server = stage.connect()
            calls = iter(range(1000))

            def splice(
                source: int,
                target: int,
                count: int,
                flags: int,
                failing: int = failing,
                calls: Callable[[], int] = calls.__next__,
            ) -> int:
                if calls() == failing:
                    raise NO_ROUTE
                return original(source, target, count, flags=flags)

            with mock.patch("os.splice", splice):
                client.send(MUCH[:300_000])
                self.over(stage, outcome, server)

    def test_copyFails(self) -> None:
        """
        So it is where they are copied.
        """
        move = _bulk.move

        def cantBeRead(end: End) -> None:
            read = mock.Mock(side_effect=NO_ROUTE)
            sock = mock.Mock(wraps=end.socket(), recv_into=read)
            with failing("os.readv", end), mock.patch.object(End, "socket", return_value=sock):
                move(end)

        def cantBeWritten(end: End) -> None:
            with failing("os.write", end.peer):
                move(end)

        for family in FAMILIES:
            for moveOnce, outcome in (
                (cantBeRead, Outcome.CLIENT_RESET),
                (cantBeWritten, Outcome.HOST_RESET),
            ):
                stage = self.stage(family=family)
                stage.loop.pipes = PipePool(0)
                client, server = stage.connect()
                with mock.patch("txlb.proxy.fast._connection.move", moveOnce):
                    client.send(MUCH[:300_000])
                    stage.turn(5)
                client.close()
                server.close()
                self.over(stage, outcome)

    def test_shutdownFails(self) -> None:
        """
        A side that can't even be told of the end was gone.
        """
        stage = self.stage()
        client, server = stage.connect()
        host = stage.connection()._host
        host._sock = Gone(host.socket())  # type: ignore[assignment]  # stands for it
        client.shutdown(socket.SHUT_WR)
        self.over(stage, Outcome.HOST_RESET)
        server.close()


class FirstBytesTests(MoodsCase):
    """
    What was handed over goes first.
    """

    def test_moreThanFits(self) -> None:
        """
        Even if it does not fit at once, and none of it is counted.
        """
        first = MUCH[: 8 << 20]
        stage = self.stage(window=4096)
        client, server = stage.connect(toHost=first, toClient=b"greeting")
        client.send(b"question")
        self.assertEqual(self.readAll(stage, server, len(first) + 8), first + b"question")
        self.assertEqual(self.readAll(stage, client, 8), b"greeting")
        client.close()
        server.close()
        self.over(stage, Outcome.DONE)
        lease = stage.results[0].lease
        assert lease is not None
        self.assertEqual((lease.bytesIn, lease.bytesOut), (8, 0))


class TakesLittle:
    """
    A socket that takes some bytes of what it is given first.
    """

    def __init__(self, sock: Any, most: int) -> None:
        self._sock = sock
        self._most = most

    def send(self, data: bytes) -> int:
        return int(self._sock.send(data[: self._most]))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class EarlyBytesTests(MoodsCase):
    """
    A near host is asked by the bytes that its client has sent by then.
    """

    def question(self, stage: HandTurned, data: bytes = b"question", **first: bytes) -> Any:
        """
        A client that has asked before its host is looked for.
        """
        client, fd = stage.client()
        client.send(data)
        delivered(client)
        stage.begin(fd, **first)
        stage.turn(3)
        return client

    def ends(self, stage: HandTurned, client: socket.socket, server: socket.socket) -> Lease:
        client.close()
        server.close()
        self.over(stage, Outcome.DONE)
        lease = stage.results[0].lease
        assert lease is not None
        return lease

    def test_withTheHeader(self) -> None:
        """
        They come with the header, which is not counted.
        """
        stage = self.stage()
        client = self.question(stage, header=b"header")
        server = stage.accept()
        self.assertEqual(server.recv(100), b"headerquestion")
        self.assertEqual(self.ends(stage, client, server).bytesIn, 8)

    def test_someAreTaken(self) -> None:
        """
        The host gets the others after those that its system has taken at once, whether these
        end in the header or behind it.
        """
        connect = Target.connect
        for most in (3, 9):
            stage = self.stage()

            def little(target: Target, most: int = most) -> tuple[Any, int]:
                sock, number = connect(target)
                return TakesLittle(sock, most), number

            with mock.patch.object(Target, "connect", little):
                client = self.question(stage, header=b"header")
            server = stage.accept()
            self.assertEqual(self.readAll(stage, server, 14), b"headerquestion")
            self.assertEqual(self.ends(stage, client, server).bytesIn, 8)

    def test_nextHost(self) -> None:
        """
        If the host refuses, the next one gets them.
        """
        stage = HandTurned()
        self.addCleanup(stage.close)
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            stage.addHost("refuses", closed.getsockname())
            stage.addHost("takes")
            client = self.question(stage)
        server = stage.accept()
        self.assertEqual(self.readAll(stage, server, 8), b"question")
        self.assertEqual(stage.connection().dial.tries, 2)
        self.assertEqual(self.ends(stage, client, server).bytesIn, 8)

    def test_more(self) -> None:
        """
        More than is read of them comes behind them.
        """
        stage = self.stage()
        client = self.question(stage, MUCH[: EARLY * 3])
        server = stage.accept()
        self.assertTrue(self.readAll(stage, server, EARLY * 3) == MUCH[: EARLY * 3])
        self.assertEqual(self.ends(stage, client, server).bytesIn, EARLY * 3)

    def test_clientHasReset(self) -> None:
        """
        The reset of a client that is found so early counts as one.
        """
        stage = self.stage()
        client, fd = stage.client()
        reset(client)
        stage.begin(fd)
        stage.turn(3)
        self.over(stage, Outcome.CLIENT_RESET)


class SilenceTests(MoodsCase):
    """
    Deadlines.
    """

    def wait(self, stage: HandTurned, seconds: float) -> None:
        """
        Let the clock go on, as wake-ups come.
        """
        until = stage.reactor.seconds() + seconds
        while stage.reactor.seconds() < until and not stage.results:
            stage.turn()
            stage.reactor.advance(0.02)

    def test_idle(self) -> None:
        """
        Silence ends it; a byte puts that off.
        """
        stage = self.stage(timeouts=Timeouts(idle=0.3, fin=0.1))
        client, server = stage.connect()
        self.wait(stage, 0.2)
        client.send(b"x")
        self.wait(stage, 0.2)
        self.assertEqual((stage.results, readSome(server, 10)), ([], b"x"))
        self.wait(stage, 5)
        self.over(stage, Outcome.IDLE_TIMEOUT)

    def test_never(self) -> None:
        """
        With 0 it may last.
        """
        stage = self.stage(timeouts=Timeouts(idle=0, fin=0), limits=DialLimits(connectTimeout=0.1))
        client, _ = stage.connect()
        client.shutdown(socket.SHUT_WR)
        self.wait(stage, 0.6)
        self.assertEqual(stage.results, [])

    def test_keepAlive(self) -> None:
        """
        A connection that lasts is watched by the system as well.
        """
        stage = self.stage(limits=DialLimits(connectTimeout=0.1))
        stage.connect()
        connection = stage.connection()
        host = connection._host.socket()
        self.assertFalse(host.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        self.wait(stage, 0.6)
        self.assertTrue(host.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def test_slowReader(self) -> None:
        """
        A side that empties the system's buffers, slowly, is not silent.
        """
        stage = self.stage(timeouts=Timeouts(idle=0.3))
        client, server = stage.connect()
        sent = self.stuff(stage, server)
        received = 0
        for _ in range(24):
            received += len(readSome(client, 65_536) or b"")
            self.wait(stage, 0.05)
        self.assertEqual(stage.results, [])
        self.assertTrue(received < sent)

    def silentHost(self, stage: HandTurned, name: str) -> None:
        """
        Add a host whose backlog is full.
        """
        silent = socket.socket()
        self.addCleanup(silent.close)
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for _ in range(2):
            filler = socket.socket()
            self.addCleanup(filler.close)
            filler.setblocking(False)
            filler.connect_ex(silent.getsockname())
        stage.addHost(name, silent.getsockname())

    def test_connectTimeout(self) -> None:
        """
        A connect timeout comes at most 10 ms late, whatever its length.
        """
        for timeout in (0.05, 0.3, 1.0, 5.0):
            stage = HandTurned(limits=DialLimits(connectTimeout=timeout, retries=0))
            self.addCleanup(stage.close)
            self.silentHost(stage, "silent")
            _, fd = stage.client()
            stage.reactor.advance(0.033)
            began = stage.reactor.seconds()
            stage.begin(fd)
            for _ in range(6000):
                if stage.results:
                    break
                stage.reactor.advance(0.001)
            took = stage.reactor.seconds() - began
            self.assertTrue(timeout <= took <= timeout + 0.01, (timeout, took))

    def test_secondHostsDeadline(self) -> None:
        """
        The next host has its own time.
        """
        stage = HandTurned(limits=DialLimits(connectTimeout=0.2, retries=1))
        self.addCleanup(stage.close)
        for name in ("one", "two"):
            self.silentHost(stage, name)
        _, fd = stage.client()
        began = stage.reactor.seconds()
        stage.begin(fd)
        self.wait(stage, 10)
        took = stage.reactor.seconds() - began
        gaveUp = stage.results[0].gaveUp
        assert gaveUp is not None
        self.assertEqual(gaveUp.reason, GaveUpReason.UNREACHABLE)
        self.assertEqual(stage.results[0].dial.tries, 2)
        self.assertTrue(took >= 0.4, took)


class EarlyEventsTests(MoodsCase):
    """
    Events that come when nothing waits for them.
    """

    def test_abortedWhileConnecting(self) -> None:
        """
        An answer to a connection that was given up is dropped.
        """
        stage = self.stage()
        client, fd = stage.client()
        with elsewhere():
            stage.begin(fd)
        connection = stage.connection()
        search = connection.search
        assert search is not None
        connection.abort()
        search.event(1)
        connection.abort()
        stage.turn(3)
        self.assertEqual(readSome(client, 1), b"")
        self.assertEqual(len(stage.results), 1)
        self.assertEqual(stage.results[0].lease, None)

    def test_clientIsGone(self) -> None:
        """
        A client that reset while its host was looked for is found out when
        there is a host.
        """
        stage = self.stage()
        client, fd = stage.client()
        reset(client)
        stage.begin(fd)
        self.over(stage, Outcome.CLIENT_RESET)
        with contextlib.suppress(BlockingIOError):
            server, _ = stage.listener.accept()
            server.close()

    def test_hostSpeaksFirst(self) -> None:
        """
        What a host says, and that it finishes, may come with the news that it
        is there.
        """
        stage = self.stage()
        client, fd = stage.client()
        stage.begin(fd)
        server, _ = stage.listener.accept()
        server.send(b"greeting")
        server.close()
        stage.turn(3)
        self.assertEqual(self.readAll(stage, client, 1 << 20), b"greeting")
        client.close()
        self.over(stage, Outcome.DONE)
