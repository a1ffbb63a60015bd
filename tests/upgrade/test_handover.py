"""
Tests for both sides of an upgrade: L{txlb.upgrade._predecessor}, L{txlb.upgrade._successor},
and what they use.
"""

from __future__ import annotations

import math
import os
import socket
import struct
import threading
import time
from typing import Any
from unittest import mock

from tests.upgrade.sides import PATIENCE, Side, UpgradeCase
from txlb.errors import TxlbError
from txlb.proxy.fast._end import End
from txlb.proxy.fast._pipes import PipePool
from txlb.upgrade import (
    ENVIRONMENT,
    Channel,
    ChannelBroken,
    ChannelClosed,
    Predecessor,
    Successor,
    _predecessor,
    _successor,
    _transfer,
)
from txlb.upgrade._stages import PredecessorStage, SuccessorStage
from txlb.upgrade._transfer import Transfer
from txlb.wire import AllChanged, Copies, Declined, Moves, Offer, Started


class ConnectionTests(UpgradeCase):
    def test_moves(self) -> None:
        """
        A connection goes on in the new process: the same sockets, counts and times, and one
        record, there.
        """
        old, new = self.side(), self.side()
        client, host = self.pair(old)
        self.passes(old, b"before", client, host)
        _, before = next(old.frontend.moving.connections())
        self.upgrade(old, new)
        self.assertEqual((self.result[0].pid, self.result[0].moved), (4711, 1))
        self.assertEqual(old.happened, ["handed over to 4711", "left"])
        self.assertEqual(new.happened, ["serves", "alone"])
        self.assertEqual((old.limit.active, new.limit.active), (0, 1))
        self.assertEqual((old.pool.active, new.pool.active), (0, 1))
        self.assertEqual(old.records, [])
        self.passes(new, b"after", client, host)
        self.passes(new, b"answer", host, client)
        client.close()
        host.close()
        self.until(new, lambda: not new.limit.active)
        [record] = new.records
        self.assertEqual((record.bytesIn, record.bytesOut), (11, 6))
        self.assertEqual((record.host, record.tries, record.outcome), ("host", 1, "done"))
        self.assertEqual(record.connectTime, before.dial.connectTime)

    def test_many(self) -> None:
        """
        More connections than one message takes move, with those that change meanwhile.
        """
        old, new = self.side(), self.side()
        pairs = [self.pair(old) for _ in range(150)]
        self.begin(old, new)
        for client, host in pairs[::3]:
            self.passes(old, b"meanwhile", client, host)
        self.finish(old)
        self.assertEqual(self.failure, [])
        self.assertEqual(self.result[0].moved, 150)
        for client, host in pairs:
            self.passes(new, b"ping", client, host)
            self.passes(new, b"pong", host, client)

    def test_heldBytes(self) -> None:
        """
        Bytes that a slow reader has not taken are all there, in order.
        """
        old, new = self.side(), self.side()
        client, host = self.pair(old)
        data = bytes(number % 251 for number in range(12_000_000))
        host.setblocking(False)
        sent = silent = 0
        while silent < 100:
            try:
                sent += host.send(data[sent : sent + 200_000])
                silent = 0
            except BlockingIOError:
                silent += 1
            old.turn()
        self.assertLess(sent, len(data))
        self.upgrade(old, new)
        self.reads(new, data[:sent], client)
        self.passes(new, b"more", host, client)

    def test_halfClosed(self) -> None:
        """
        A client that has finished sending still gets its answer.
        """
        old, new = self.side(), self.side()
        client, host = self.pair(old)
        client.sendall(b"request")
        client.shutdown(socket.SHUT_WR)
        self.reads(old, b"request", host)
        host.setblocking(False)
        ended: list[bytes] = []

        def readEnd() -> bool:
            try:
                ended.append(host.recv(1))
            except BlockingIOError:
                return False
            return True

        self.until(old, readEnd)
        self.assertEqual(ended, [b""])
        self.upgrade(old, new)
        host.settimeout(60)
        self.passes(new, b"answer", host, client)
        host.close()
        self.until(new, lambda: not new.limit.active)
        self.assertEqual([record.outcome for record in new.records], ["done"])

    def test_endsMeanwhile(self) -> None:
        """
        A connection that ends after it was copied is recorded by the old process alone, and its
        peer hears of the end at once.
        """
        old, new = self.side(), self.side()
        client, host = self.pair(old)
        self.pair(old)
        self.begin(old, new)
        self.predecessor.doRead()
        for _ in range(50):
            old.turn()
        self.successor.doRead()
        client.close()
        host.close()
        self.until(old, lambda: old.records)
        self.finish(old)
        self.assertEqual(self.failure, [])
        self.assertEqual((self.result[0].moved, len(old.records), new.limit.active), (1, 1, 1))
        self.assertEqual(new.pool.active, 1)

    def test_waiting(self) -> None:
        """
        Clients that wait for a host with room wait on, in their order.
        """
        settings = {"queueTimeout": 600.0, "maxQueue": 100}
        old, new = self.side(**settings), self.side(**settings)
        for side in (old, new):
            side.manager.setHost("web", "main", "host", maxConnections=1)
        first, host = self.pair(old)
        waiting = [self.client(old) for _ in range(3)]
        for number, client in enumerate(waiting):
            client.sendall(b"%d" % number)
        self.upgrade(old, new)
        self.assertEqual((self.result[0].moved, new.limit.active), (4, 4))
        for number, client in enumerate(waiting):
            first.close()
            host.close()
            self.until(new, lambda n=number: len(new.records) == n + 1)
            first, host = client, self.host()
            self.reads(new, b"%d" % number, host)

    def test_hostThatIsGone(self) -> None:
        """
        A host that the new file does not have is there until its connections have ended.
        """
        old, new = self.side("a"), self.side("b")
        client, host = self.pair(old)
        self.upgrade(old, new)
        self.assertEqual([each.name for each in new.pool.leaving], ["a"])
        self.passes(new, b"ping", client, host)
        client.close()
        host.close()
        self.until(new, lambda: not new.limit.active)
        self.assertEqual(new.pool.leaving, [])
        self.assertEqual(new.records[0].host, "a")

    def test_groupThatIsGone(self) -> None:
        """
        The connections of a group that the new file does not have count for that group until they
        have ended, and not for the one that is enabled.
        """
        old, new = self.side(group="blue"), self.side(group="green")
        client, host = self.pair(old)
        self.upgrade(old, new)
        self.assertEqual((new.limit.active, new.pool.active), (1, 0))
        former = new.manager.claimedPool("web", "blue")
        self.passes(new, b"ping", client, host)
        client.close()
        host.close()
        self.until(new, lambda: not new.limit.active)
        [record] = new.records
        self.assertEqual((record.group, record.host, former.active), ("blue", "host", 0))
        self.assertEqual(new.pool.active, 0)

    def test_endedBeforeItGoesOn(self) -> None:
        """
        Connections that are ended before the new process has let all go on are ended, once.
        """
        self.patch(_successor, "GO_ON_AT_ONCE", 1)
        old, new = self.side(), self.side()
        pairs = [self.pair(old) for _ in range(3)]
        new.rests = True
        self.upgrade(old, new)
        self.assertEqual(new.happened, ["serves"])
        new.frontend.abortAll()
        new.rests = False
        self.until(new, lambda: not new.limit.active)
        self.until(new, lambda: new.happened == ["serves", "alone"])
        self.assertEqual([record.outcome for record in new.records], ["stopped"] * 3)
        self.assertEqual(new.pool.active, 0)
        for client, _ in pairs:
            self.assertRaises(ConnectionResetError, client.recv, 1)

    def test_serviceThatIsGone(self) -> None:
        """
        The connections of a service that the new file does not have stay.
        """
        old, new = self.side(), self.side(name="other")
        client, host = self.pair(old)
        self.upgrade(old, new)
        self.assertEqual((self.result[0].moved, new.limit.active), (0, 0))
        self.assertEqual(self.result[0].stays, {"its service is gone": 1})
        self.passes(old, b"ping", client, host)


class SilentTests(UpgradeCase):
    """
    Connections of the fast relay that were silent during the upgrade.
    """

    def test_servedBeforeTheyGoOn(self) -> None:
        """
        They are served before the new process has let them go on, each of which sets its deadline.
        Those that have finished meanwhile have the deadline for that.
        """
        self.patch(_successor, "GO_ON_AT_ONCE", 1)
        old, new = self.side(), self.side()
        pairs = [self.pair(old) for _ in range(4)]
        new.rests = True
        self.upgrade(old, new)
        self.assertEqual(new.happened, ["serves"])
        for client, host in pairs:
            self.passes(new, b"ping", client, host)
            self.passes(new, b"pong", host, client)
        pairs[0][0].close()
        pairs[0][1].close()
        self.until(new, lambda: new.limit.active == 3)
        pairs[1][0].shutdown(socket.SHUT_WR)
        half: list[Any] = [connection for _, connection in new.frontend.moving.connections()]
        self.until(new, lambda: any(each._client.ended for each in half))
        new.rests = False
        self.until(new, lambda: new.happened == ["serves", "alone"])
        asked = [each for each in half if not each.over]
        self.assertEqual(len(asked), 3)
        for each in asked:
            self.assertIsNotNone(each.slot)
            self.assertLess(each._askAt, math.inf)


class PortableTests(ConnectionTests):
    """
    The same with the portable relay.
    """

    relays = ("portable", "portable")


class PortableFaultTests(UpgradeCase):
    """
    Faults of connections of the portable relay.
    """

    relays = ("portable", "portable")

    def test_failedSince(self) -> None:
        """
        If a host resets a connection after it was copied, the old process alone delivers the
        last bytes.
        """
        old, new = self.side(), self.side()
        client, host = self.pair(old)
        self.passes(old, b"x", host, client)
        ((_, connection),) = old.frontend.moving.connections()
        self.copied(old, new)
        old.rests = True
        host.sendall(b"y" * 1000)
        self.until(old, lambda: connection.lease.bytesOut > 1)
        host.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        host.close()
        self.until(old, lambda: connection.whyStays)
        old.rests = False
        self.finish(old)
        self.assertEqual(self.failure, [])
        self.assertEqual(self.result[0].moved, 0)
        self.assertEqual((old.limit.active, new.limit.active), (1, 0))
        self.assertEqual(list(new.frontend.moving.connections()), [])
        self.reads(old, b"y" * 1000, client)
        with self.assertRaises(ConnectionResetError):
            self.until(old, lambda: not old.limit.active)
            client.recv(1)
        self.assertEqual([record.outcome for record in old.records], ["host-reset"])


class ToPortableTests(ConnectionTests):
    """
    The new file asks for the other relay.
    """

    relays = ("fast", "portable")


class ToFastTests(ConnectionTests):
    """
    Likewise.
    """

    relays = ("portable", "fast")


class FaultTests(UpgradeCase):
    def test_declined(self) -> None:
        """
        If the successor can't serve, the old process goes on.
        """
        old, new = self.side(), self.side()
        client, host = self.pair(old)
        self.begin(old, new)
        self.successor._end("the disk is full")
        self.finish(old)
        self.assertEqual(self.failure, ["this process goes on: the disk is full"])
        self.assertIs(self.predecessor.stage, PredecessorStage.SERVING)
        self.assertTrue(self.process.killed)
        self.passes(old, b"ping", client, host)

    def test_secondIsRefused(self) -> None:
        old, new = self.side(), self.side()
        self.begin(old, new)
        failure = self.failureResultOf(self.predecessor.begin())
        self.assertIn("under way already (starting)", failure.getErrorMessage())
        self.predecessor.stop()
        self.assertIs(self.predecessor.stage, PredecessorStage.SERVING)

    def test_diesWhileCopying(self) -> None:
        """
        If the old process dies while it serves, its connections are reset: the new one's state
        of them is old.
        """
        old, new = self.side(), self.side()
        client, _ = self.pair(old)
        self.begin(old, new)
        self.predecessor.doRead()
        for _ in range(50):
            old.turn()
        for _ in range(5):
            self.successor.doRead()
        self.assertEqual(new.limit.active, 1)
        # As if the system had closed everything of it.
        assert self.predecessor._channel is not None
        self.predecessor._channel.close()
        for relay, connection in list(old.frontend.moving.connections()):
            old.frontend.moving.gave(relay, connection)
            connection.leave()
        for _ in range(5):
            self.successor.doRead()
        self.assertIs(self.successor.stage, SuccessorStage.SERVING)
        self.assertEqual((new.limit.active, new.pool.active), (0, 0))
        self.assertEqual(new.happened, ["serves", "alone"])
        self.assertRaises(ConnectionResetError, client.recv, 1)

    def _heldSince(self, old: Side, new: Side) -> None:
        """
        Have a connection hold bytes since it was copied, of which its client takes none, and do
        the upgrade.
        """
        client, host = self.pair(old)
        self.passes(old, b"x", host, client)
        ((_, connection),) = old.frontend.moving.connections()
        end: Any = connection
        # As in a burst: then bytes are read before the client is asked.
        end._host.bulk = True
        filled = full = 0
        while full < 100:
            try:
                filled += os.write(end._client.fd, bytes(65536))
                full = 0
            except BlockingIOError:
                full += 1
                old.turn()
        self.copied(old, new)
        moved = connection.lease.bytesOut
        host.sendall(b"y" * 1000)
        deadline = time.monotonic() + PATIENCE
        while connection.isStill:
            self.assertLess(time.monotonic(), deadline)
            # Time passes, but it is not yet time to freeze.
            old.reactor.rightNow += 0.0001
            old._loop.turn(0.0, 8)
        self.assertEqual(connection.lease.bytesOut, moved)
        self.finish(old)
        self.assertEqual(self.failure, [])
        self.reads(new, bytes(filled) + b"y" * 1000, client)

    def test_heldSince(self) -> None:
        """
        Bytes that were read after a connection was copied, and of which the client takes none,
        are there, though the connection has moved nothing since.
        """
        old, new = self.side(), self.side()
        self._heldSince(old, new)

    def test_heldSinceWithoutPipe(self) -> None:
        """
        The same for bytes that were copied, as those of a UNIX socket are if there is no pipe.
        """
        old, new = self.side(), self.side()
        self.patch(End, "peeks", False)
        self.patch(PipePool, "take", lambda _: None)
        self._heldSince(old, new)

    def test_hangs(self) -> None:
        """
        If the successor does not answer, the old process goes on after its limit.
        """
        self.patch(_predecessor, "FREEZE_LIMIT", 0.05)
        old, new = self.side(), self.side()
        client, host = self.pair(old)
        self.copied(old, new)
        old.reactor.advance(0)
        self.assertIn("does not answer", self.failure[0])
        self.assertTrue(self.process.killed)
        self.assertIs(self.predecessor.stage, PredecessorStage.SERVING)
        self.passes(old, b"ping", client, host)
        # It finds that it was called off, and touches nothing.
        self.successor.doRead()
        self.assertIs(self.successor.stage, SuccessorStage.ENDED)
        self.assertNotIn("serves", new.happened)

    def test_lateStart(self) -> None:
        """
        If the successor has started just before the limit, it counts.
        """
        old, new = self.side(), self.side()
        client, host = self.pair(old)
        self.copied(old, new)
        channel = self.predecessor._channel
        assert channel is not None

        def late(_: float) -> object:
            thread = threading.Thread(target=self.takeInThread)
            thread.start()
            thread.join(PATIENCE)
            raise TimeoutError("the other process does not answer")

        channel.receive = late  # type: ignore[method-assign, assignment]
        old.reactor.advance(0)
        self.assertEqual(self.failure, [])
        self.assertEqual(self.result[0].moved, 1)
        self.assertFalse(self.process.killed)
        self.passes(new, b"ping", client, host)

    def test_diesFrozen(self) -> None:
        """
        If the old process dies after it has given everything, the new one goes on.
        """
        old, new = self.side(), self.side()
        pairs = [self.pair(old) for _ in range(3)]
        self.copied(old, new)
        self.giveRest(old)
        self.die(old)
        self.successor.doRead()
        self.assertIs(self.successor.stage, SuccessorStage.SERVING)
        self.assertEqual((new.limit.active, new.happened), (3, ["serves", "alone"]))
        for client, host in pairs:
            self.passes(new, b"ping", client, host)

    def test_diesInTheMiddle(self) -> None:
        """
        If the old process dies before it has given everything, the new one goes on with what it
        has.
        """
        old, new = self.side(), self.side()
        pairs = [self.pair(old) for _ in range(3)]
        self.copied(old, new)
        # These come after the copies, so that they are in the last batches alone.
        old.rests = True
        more = [self.pair(old) for _ in range(200)]
        old.rests = False
        self.giveRest(old, batches=1)
        self.die(old)
        self.successor.doRead()
        self.assertIs(self.successor.stage, SuccessorStage.SERVING)
        self.assertEqual(new.limit.active, 3 + 126)
        for client, host in pairs:
            self.passes(new, b"ping", client, host)
        self.assertEqual(sum(self.isServed(new, *pair) for pair in more), 126)

    def test_diesBeforeAllChanges(self) -> None:
        """
        If the old process dies before it has told all changes of what was copied, the new one goes
        on with what it was told of. The other connections are reset: the old process may have held
        bytes of them.
        """
        old, new = self.side(), self.side()
        pairs = [self.pair(old) for _ in range(3)]
        self.copied(old, new)
        old.rests = True
        self.passes(old, b"changed", *pairs[0])
        self.giveRest(old, last=AllChanged)
        self.die(old)
        self.successor.doRead()
        self.assertIs(self.successor.stage, SuccessorStage.SERVING)
        self.assertEqual((new.limit.active, new.pool.active), (1, 1))
        self.passes(new, b"ping", *pairs[0])
        for client, host in pairs[1:]:
            self.assertRaises(ConnectionResetError, client.recv, 1)
            self.assertRaises(ConnectionResetError, host.recv, 1)

    def isServed(self, side: Side, client: socket.socket, host: socket.socket) -> bool:
        """
        Tell whether bytes pass.
        """
        try:
            self.passes(side, b"ping", client, host)
        except (OSError, AssertionError):
            return False
        return True

    def giveRest(
        self, old: Side, batches: int | None = None, last: type[object] | None = None
    ) -> None:
        """
        Do what a predecessor does that is frozen, or only a part of it.

        @param batches: after so many it is killed.
        @param last: before such a message it is killed.
        """
        transfer, channel = self.predecessor._transfer, self.predecessor._channel
        assert transfer is not None
        assert channel is not None
        old.loop.closePending()
        send, sent = channel.send, 0

        def sendSome(message: object, *rest: object) -> None:
            nonlocal sent
            if isinstance(message, Moves):
                sent += 1
            if (batches is not None and sent > batches) or type(message) is last:
                raise ChannelClosed("it is killed")
            send(message, *rest)  # type: ignore[arg-type]

        channel.send = sendSome  # type: ignore[method-assign, assignment]
        try:
            transfer.giveRest(time.monotonic() + PATIENCE)
        except ChannelClosed:
            self.assertTrue(batches or last)

    def die(self, old: Side) -> None:
        """
        Let the system close everything that the old process has.
        """
        assert self.predecessor._channel is not None
        self.predecessor._channel.close()
        for relay, connection in list(old.frontend.moving.connections()):
            old.frontend.moving.gave(relay, connection)
            connection.leave()

    def test_fullDisk(self) -> None:
        """
        If held bytes can't be written, the old process goes on.
        """
        old, new = self.side(), self.side()
        client, host = self.pair(old)
        self.copied(old, new)
        with mock.patch.object(Transfer, "giveRest", side_effect=OSError(28, "No space left")):
            old.reactor.advance(0)
        self.assertIn("No space left", self.failure[0])
        self.passes(old, b"ping", client, host)
        self.successor.doRead()
        self.assertIs(self.successor.stage, SuccessorStage.ENDED)

    def test_descriptorsAreLost(self) -> None:
        """
        If the successor can't take descriptors, while the old process serves or when it does not,
        the old one goes on: it is not dead.
        """
        for kind in (Copies, Moves):
            with self.subTest(kind.__name__):
                old, new = self.side(), self.side()
                client, host = self.pair(old)
                self.begin(old, new)
                self.pair(old)
                channel = self.successor._channel
                receive = channel.tryReceive

                def lost(kind: type = kind, receive: Any = receive) -> Any:
                    found = receive()
                    if found is not None and type(found[0]) is kind:
                        raise ChannelBroken("descriptors were lost")
                    return found

                channel.tryReceive = lost  # type: ignore[method-assign]
                old.rests = True
                self.predecessor.doRead()
                old.rests = False
                if kind is Moves:
                    # It comes after the copies.
                    assert self.predecessor._transfer is not None
                    self.predecessor._transfer._todo.clear()
                self.finish(old)
                self.assertIn("this process goes on: descriptors were lost", self.failure[0])
                self.assertIs(self.successor.stage, SuccessorStage.ENDED)
                self.assertNotIn("serves", new.happened)
                self.passes(old, b"ping", client, host)

    def test_noState(self) -> None:
        """
        If the state can't be written, the old process goes on.
        """
        old, new = self.side(), self.side()
        client, host = self.pair(old)
        error = OSError(27, "File too large")
        with mock.patch.object(_transfer, "memoryOf", side_effect=error):
            self.begin(old, new)
            self.predecessor.doRead()
        self.assertEqual(self.failure, ["this process goes on: File too large"])
        self.assertTrue(self.process.killed)
        self.passes(old, b"ping", client, host)
        old.changes = {"hosts": []}
        with mock.patch.object(_predecessor, "memoryOf", side_effect=error):
            failure = self.failureResultOf(self.predecessor.begin())
        self.assertEqual(failure.getErrorMessage(), "this process goes on: File too large")

    def test_noDescriptors(self) -> None:
        old = self.side()
        predecessor = Predecessor(old, old.reactor, old.deadlines)
        error = OSError(24, "Too many open files")
        with mock.patch.object(Channel, "pair", side_effect=error):
            failure = self.failureResultOf(predecessor.begin())
        self.assertIn("no process can be started: Too many open", failure.getErrorMessage())
        self.assertIs(predecessor.stage, PredecessorStage.SERVING)

    def test_otherVersion(self) -> None:
        """
        A successor of another version is refused before anything has moved.
        """
        old, new = self.side(), self.side()
        client, host = self.pair(old)
        with mock.patch.object(_successor, "UPGRADE_VERSION", 99):
            self.begin(old, new)
        self.predecessor.doRead()
        self.assertIn("speaks version 99", self.failure[0])
        self.passes(old, b"ping", client, host)

    def test_otherPredecessor(self) -> None:
        """
        A successor refuses a predecessor of another version, and says so before it listens.
        """
        channel, theirs = Channel.pair()
        self.addCleanup(channel.close)
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        channel.send(Offer(99), (writer,), time.monotonic() + PATIENCE)
        os.close(writer)
        environ = {ENVIRONMENT: str(theirs.detach())}
        error = self.assertRaises(TxlbError, Successor.fromEnvironment, environ)
        self.assertIn("the predecessor speaks version 99", str(error))
        self.assertEqual(environ, {})
        message, _ = channel.receive(time.monotonic() + PATIENCE)
        self.assertEqual(message, Declined(str(error)))

    def test_noSocket(self) -> None:
        for text in ("x", "99999"):
            error = self.assertRaises(TxlbError, Successor.fromEnvironment, {ENVIRONMENT: text})
            self.assertIn("only txlb sets it", str(error))
        self.assertIsNone(Successor.fromEnvironment({}))

    def test_silentPredecessor(self) -> None:
        self.patch(_successor, "OFFER_LIMIT", 0.0)
        channel, theirs = Channel.pair()
        self.addCleanup(channel.close)
        environ = {ENVIRONMENT: str(theirs.detach())}
        error = self.assertRaises(TxlbError, Successor.fromEnvironment, environ)
        self.assertIn("offers nothing", str(error))

    def test_predecessorDoesNotRead(self) -> None:
        """
        A successor that can't say that it is ready ends: its predecessor may live.
        """
        self.patch(_successor, "OFFER_LIMIT", 0.0)
        channel, theirs = Channel.pair()
        self.addCleanup(channel.close)
        self.successor, self.ended = Successor(Channel(theirs)), []
        self.successor.exit = self._exit  # type: ignore[method-assign]
        while self.successor._channel.trySend(Declined("x" * 50_000)):
            pass
        new = self.side()
        self.successor.ready(new, new.reactor)
        self.assertIs(self.successor.stage, SuccessorStage.ENDED)
        self.assertEqual(self.ended, ["the other process does not read"])
        self.assertEqual(new.happened, [])

    def test_neverReady(self) -> None:
        """
        A successor that is not ready within its time is killed.
        """
        old, new = self.side(), self.side()
        self.begin(old, new)
        old.reactor.pump([20.0, 20.0, 20.0, 1.0])
        self.assertIn("it was not ready within 60 s", self.failure[0])
        self.assertTrue(self.process.killed)

    def test_wrongMessage(self) -> None:
        """
        A successor that answers at the wrong time is killed.
        """
        old, new = self.side(), self.side()
        self.begin(old, new)
        self.successor._channel.send(Started(), (), time.monotonic() + PATIENCE)
        self.predecessor.doRead()
        self.predecessor.doRead()
        self.predecessor.doRead()
        self.assertIn("it sent Started at the wrong time", self.failure[0])

    def test_notStarted(self) -> None:
        old = self.side()

        def launch(*_: object) -> Any:
            raise OSError(11, "Resource temporarily unavailable")

        predecessor = Predecessor(old, old.reactor, old.deadlines, launch)
        failure = self.failureResultOf(predecessor.begin())
        self.assertIn("no process can be started", failure.getErrorMessage())
        self.assertIs(predecessor.stage, PredecessorStage.SERVING)
