"""
Tests for both sides of an upgrade: L{txlb.upgrade._predecessor}, L{txlb.upgrade._successor},
and what they use.
"""

from __future__ import annotations

import socket

from tests.upgrade.sides import UpgradeCase
from txlb.upgrade._stages import PredecessorStage, SuccessorStage


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
