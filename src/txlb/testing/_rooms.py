"""
The tests of relays with clients that wait for room, and with hosts that are taken out
of rotation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from txlb.pool import DialLimits, GaveUpReason, HostPool, Outcome, Waiting
from txlb.testing._stage import RelayStage
from txlb.testing._streams import FarHost, Stream, until


class RoomContract(RelayStage):
    """
    A part of L{txlb.testing.RelayContract}.
    """

    def small(self: Any, name: str = "small", **settings: Any) -> FarHost:
        """
        Add a host that takes one connection at a time, with a queue before it.
        """
        pool: HostPool = self.pool
        pool.setSettings(replace(pool.settings, maxQueue=5, **settings))
        pool.wakeBy = lambda when: self.deadlines.at(
            when, lambda: pool.advance(self.deadlines.seconds())
        )
        host: FarHost = self.host(name)
        pool.changeHost(replace(pool.getHost(name).configured, maxConnections=1))
        return host

    def waitingClient(self: Any) -> Stream:
        """
        Connect a client without room at the host.
        """
        client: Stream
        client, fd = self.client()
        step = self.pool.dial(("127.0.0.1", 1), self.limits).start()
        self.assertIsInstance(step, Waiting)
        self.relay.start(self.accepted(fd), step)
        return client

    async def gone(self: Any, reason: GaveUpReason) -> None:
        """
        Wait for the end of a client that got no host.
        """
        await until(self.reactor, lambda: bool(self.results), "the end of the wait")
        (result,) = self.results
        self.assertEqual((result.gaveUp.reason, result.lease), (reason, None))
        self.assertEqual((self.pool.snapshot().waiting, self.relay.connectionCount()), (0, 1))
        self.results.clear()
        await self.end()

    async def end(self: Any) -> None:
        """
        Close everything.
        """
        self.relay.abortAll()
        await until(self.reactor, lambda: not self.relay.connectionCount(), "the end of all")
        self.assertEqual((self.pool.active, self.pool.snapshot().waiting), (0, 0))

    async def test_waitsForRoom(self: Any) -> None:
        """
        A client waits until the host has room, and then the host gets the bytes that it
        has sent meanwhile.
        """
        host = self.small()
        client, server = await self.connected(host)
        second = self.waitingClient()
        await second.writeAll(b"question")
        self.assertEqual((self.pool.active, self.relay.connectionCount()), (1, 2))
        client.finish()
        server.finish()
        server = await host.accept()
        self.addCleanup(server.close)
        await server.expect(b"question")
        second.finish()
        server.finish()
        result = await self.over(Outcome.DONE, 2)
        self.assertEqual(result.lease.bytesIn, len(b"question"))

    async def test_leavesWhileWaiting(self: Any) -> None:
        """
        A client that closes while it waits is forgotten.
        """
        await self.connected(self.small())
        self.waitingClient().close()
        await self.gone(GaveUpReason.CLIENT_GONE)

    async def test_resetsWhileWaiting(self: Any) -> None:
        """
        A client that resets while it waits is forgotten, even if it has sent bytes.
        """
        await self.connected(self.small())
        client = self.waitingClient()
        await client.writeAll(b"question")
        client.reset()
        await self.gone(GaveUpReason.CLIENT_GONE)

    async def test_halfClosedWhileWaiting(self: Any) -> None:
        """
        A client that has sent a request and finished still waits for its answer.
        """
        host = self.small()
        client, server = await self.connected(host)
        second = self.waitingClient()
        await second.writeAll(b"question")
        second.finish()
        for stream in (client, server):
            stream.finish()
        server = await host.accept()
        self.addCleanup(server.close)
        await server.expect(b"question")
        await server.expectEnd()
        await server.writeAll(b"answer")
        server.finish()
        await second.expect(b"answer")
        await second.expectEnd()
        await self.over(Outcome.DONE, 2)

    async def test_waitsTooLong(self: Any) -> None:
        """
        The wait ends after C{queueTimeout}.
        """
        await self.connected(self.small(queueTimeout=0.1))
        client = self.waitingClient()
        await client.expectEnd()
        await self.gone(GaveUpReason.QUEUE_TIMEOUT)

    async def test_abortWhileWaiting(self: Any) -> None:
        """
        A waiting client can be ended.
        """
        await self.connected(self.small())
        client = self.waitingClient()
        self.relay.abortAll()
        await client.expectEnd()
        await until(self.reactor, lambda: len(self.results) == 2, "the end of both")
        self.assertEqual((self.pool.active, self.pool.snapshot().waiting), (0, 0))
        self.assertEqual(self.relay.connectionCount(), 0)

    async def test_waitsAfterAFailure(self: Any) -> None:
        """
        A client that could not reach one host waits for the other.
        """
        dead, host = self.host("dead"), self.small()
        self.pool.setWeight("dead", 0)
        client, server = await self.connected(host)
        self.pool.setWeight("dead", 1)
        dead.close()
        second, fd = self.client()
        await second.writeAll(b"question")
        self.begin(fd)
        await until(self.reactor, lambda: self.pool.snapshot().waiting == 1, "the wait")
        client.finish()
        server.finish()
        server = await host.accept()
        self.addCleanup(server.close)
        await server.expect(b"question")
        second.finish()
        server.finish()
        self.assertEqual((await self.over(Outcome.DONE, 2)).dial.tries, 2)

    # Hosts that are taken out

    async def test_leaveHost(self: Any) -> None:
        """
        The connections of one host can be reset, and others go on.
        """
        gone, other = self.host("gone"), self.host("other")
        client, server = await self.connected(gone)
        await client.writeAll(b"x")
        await server.expect(b"x")
        second, server = await self.connected(other)
        await second.writeAll(b"x")
        await server.expect(b"x")
        self.relay.leaveHost(self.pool.getHost("gone"), Outcome.DRAIN_TIMEOUT)
        await client.expectReset()
        await until(self.reactor, lambda: bool(self.results), "the end of one")
        (lease,) = [result.lease for result in self.results]
        self.assertEqual((lease.host.name, lease.outcome), ("gone", Outcome.DRAIN_TIMEOUT))
        self.assertEqual((self.pool.active, self.relay.connectionCount()), (1, 1))
        await self.end()

    async def test_leaveHostWhileConnecting(self: Any) -> None:
        """
        If a host leaves while it is being connected to, the client goes on to another
        host, and the host has not failed. A host that has gone down is left to report
        that itself.
        """
        self.limits = DialLimits(connectTimeout=10.0, dialTimeout=20.0)
        self.silentHost("silent")
        alive = self.host("alive")
        client, fd = self.client()
        self.begin(fd)
        silent = self.pool.getHost("silent")
        self.relay.leaveHost(silent, Outcome.HOST_DOWN)
        self.assertEqual((silent.active, self.pool.getHost("alive").active), (1, 0))
        self.relay.leaveHost(silent, Outcome.REMOVED)
        server = await alive.accept()
        self.addCleanup(server.close)
        client.finish()
        server.finish()
        await self.over(Outcome.DONE)
        self.assertEqual((silent.active, silent.pending, silent.counters.failures), (0, 0, 0))

    # The side that ended it

    async def test_hostFirst(self: Any) -> None:
        """
        If a host finishes or resets before its client has finished, the outcome names
        the host.
        """
        host = self.host()
        for end in ("finish", "reset"):
            client, server = await self.connected(host)
            await client.writeAll(b"question")
            await server.expect(b"question")
            getattr(server, end)()
            if end == "finish":
                await client.expectEnd()
                client.finish()
            await until(self.reactor, lambda: bool(self.results), "the end")
            lease = self.results.pop().lease
            self.assertEqual((lease.hostFirst, lease.bytesOut), (True, 0), end)

    async def test_clientFirst(self: Any) -> None:
        """
        If the client ends first, the outcome does not name the host.
        """
        host = self.host()
        for end in ("finish", "reset"):
            client, server = await self.connected(host)
            await client.writeAll(b"question")
            await server.expect(b"question")
            getattr(client, end)()
            if end == "finish":
                await server.expectEnd()
                server.finish()
            await until(self.reactor, lambda: bool(self.results), "the end")
            self.assertFalse(self.results.pop().lease.hostFirst, end)
