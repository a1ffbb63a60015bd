"""
The tests that every relay has to pass, on real sockets.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
import time
from typing import Any

from twisted.internet.task import deferLater

from txlb.connecting import STAGGER
from txlb.pool import DialLimits, FailureKind, GaveUpReason, Outcome, PassiveState
from txlb.proxy import Timeouts
from txlb.testing._rooms import RoomContract
from txlb.testing._stage import openSockets
from txlb.testing._streams import until

#: More bytes than the buffers of the kernel and of a relay hold together.
PLENTY = 64 << 20

#: The most bytes that a relay and the kernel may hold of a stream that is not read.
HELD = 24 << 20


#: The bytes that a host sends before it resets.
ANSWER = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 5000\r\n\r\n".ljust(5000, b"x")


class RelayContract(RoomContract):
    """
    The tests that every relay passes. Derive from it and from
    L{twisted.trial.unittest.TestCase}, and write C{makeRelay}::

        class MyRelayTests(RelayContract, TestCase):
            def makeRelay(self, reactor, deadlines, timeouts, ended):
                return MyRelay(...)

    They run on the loopback, under the reactor that trial uses.

    @cvar unixHosts: whether the relay can connect to UNIX sockets.
    """

    unixHosts = True

    # In good order

    async def test_bytesBothWays(self: Any) -> None:
        """
        Bytes arrive in both directions, and are counted.
        """
        client, server = await self.connected(self.host())
        question, answer = os.urandom(100_000), os.urandom(300_000)
        await client.writeAll(question)
        await server.expect(question)
        await server.writeAll(answer)
        await client.expect(answer)
        self.assertEqual(self.relay.connectionCount(), 1)
        self.assertEqual(self.relay.clientAddrs(), [("127.0.0.1", 1)])
        self.assertEqual(self.pool.active, 1)
        client.finish()
        await server.expectEnd()
        server.finish()
        await client.expectEnd()
        lease = (await self.over(Outcome.DONE)).lease
        self.assertEqual((lease.bytesIn, lease.bytesOut), (len(question), len(answer)))

    async def test_unixHost(self: Any) -> None:
        """
        A host can be a UNIX socket.
        """
        if not self.unixHosts:
            return
        path = f"{self.mktemp()[-80:]}.sock"
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        client, server = await self.connected(self.host(path=path))
        await client.writeAll(b"question")
        await server.expect(b"question")
        await server.writeAll(b"answer")
        server.finish()
        await client.expect(b"answer")
        await client.expectEnd()
        client.finish()
        await self.over(Outcome.DONE)

    async def test_anyChunks(self: Any) -> None:
        """
        A stream arrives unchanged in any chunks.
        """
        client, server = await self.connected(self.host())
        source = random.Random(1)
        sent = b""
        for _ in range(60):
            piece = source.randbytes(source.choice((1, 2, 100, 1448, 65536, 70_000)))
            sent += piece
            await client.writeAll(piece)
            if source.random() < 0.3:
                server.read()
        client.finish()
        await server.expect(sent)
        await server.expectEnd()
        server.finish()
        lease = (await self.over(Outcome.DONE)).lease
        self.assertEqual(lease.bytesIn, len(sent))

    async def test_clientFinishesFirst(self: Any) -> None:
        """
        After the client has finished, the host can send on.
        """
        client, server = await self.connected(self.host())
        client.finish()
        await server.expectEnd()
        await server.writeAll(b"x" * 100_000)
        await client.expect(b"x" * 100_000)
        server.finish()
        await client.expectEnd()
        await self.over(Outcome.DONE)

    async def test_hostFinishesFirst(self: Any) -> None:
        """
        After the host has finished, the client can send on.
        """
        client, server = await self.connected(self.host())
        server.finish()
        await client.expectEnd()
        await client.writeAll(b"x" * 100_000)
        await server.expect(b"x" * 100_000)
        client.finish()
        await server.expectEnd()
        await self.over(Outcome.DONE)

    async def test_clientIsGoneBeforeTheHostIsThere(self: Any) -> None:
        """
        If a client sends and closes before its host has connected, the host gets every
        byte.
        """
        host = self.host()
        client, fd = self.client()
        await client.writeAll(b"all that I have to say")
        client.close()
        self.begin(fd)
        server = await host.accept()
        self.addCleanup(server.close)
        await server.expect(b"all that I have to say")
        await server.expectEnd()
        server.finish()
        await self.over(Outcome.DONE)

    async def test_firstBytes(self: Any) -> None:
        """
        Bytes that were read before the relay began go first, and are not counted.
        """
        client, server = await self.connected(self.host(), toHost=b"header ", toClient=b"greeting ")
        await client.writeAll(b"question")
        await server.expect(b"header question")
        await server.writeAll(b"answer")
        await client.expect(b"greeting answer")
        client.finish()
        server.finish()
        lease = (await self.over(Outcome.DONE)).lease
        self.assertEqual((lease.bytesIn, lease.bytesOut), (8, 6))

    async def test_backpressure(self: Any) -> None:
        """
        If one side does not read, the other can't send on for long, and no byte is
        lost.
        """
        client, server = await self.connected(self.host())
        sent = await self.stall(server, client)
        client.finish()
        lease = (await self.over(Outcome.DONE)).lease
        self.assertEqual(lease.bytesOut, sent)

    async def test_slowHost(self: Any) -> None:
        """
        The same for a host that does not read for a while.
        """
        client, server = await self.connected(self.host())
        sent = await self.stall(client, server)
        server.finish()
        lease = (await self.over(Outcome.DONE)).lease
        self.assertEqual(lease.bytesIn, sent)

    async def stall(self: Any, source: Any, target: Any) -> int:
        """
        Let one side send until it can't send on, and then the other read all of it.

        @return: how many bytes were sent.
        """
        chunk = os.urandom(1 << 18)
        sent = 0
        quiet = 0

        def stalled() -> bool:
            nonlocal sent, quiet
            went = source.write(chunk[sent % len(chunk) :])
            sent += went
            quiet = 0 if went else quiet + 1
            return quiet > 50 or sent > PLENTY

        await until(self.reactor, stalled, "a side that can't send on")
        self.assertLess(sent, HELD)
        source.finish()
        await target.expectEnd()
        whole = chunk * (sent // len(chunk) + 1)
        self.assertTrue(target.received == whole[:sent], "what arrived is not what was sent")
        return sent

    async def test_many(self: Any) -> None:
        """
        Many connections leave no object behind.
        """
        host = self.host(backlog=64)
        before = openSockets()
        for _ in range(5):
            pairs = [await self.connected(host) for _ in range(10)]
            self.assertEqual(self.pool.active, 10)
            for client, server in pairs:
                client.finish()
                server.finish()
            for client, server in pairs:
                await client.expectEnd()
                await server.expectEnd()
                client.close()
                server.close()
        await self.over(Outcome.DONE, 50)
        self.assertEqual(openSockets(), before)

    # Resets, silence, stops

    async def test_clientResets(self: Any) -> None:
        """
        A reset by the client reaches the host as a reset.
        """
        client, server = await self.connected(self.host())
        await client.writeAll(b"x")
        await server.expect(b"x")
        client.reset()
        await server.expectReset()
        await self.over(Outcome.CLIENT_RESET)

    async def test_hostResets(self: Any) -> None:
        """
        A reset by the host reaches the client as a reset.
        """
        client, server = await self.connected(self.host())
        await client.writeAll(b"x")
        await server.expect(b"x")
        server.reset()
        await client.expectReset()
        await self.over(Outcome.HOST_RESET)

    async def test_answerBehindAnUpload(self: Any) -> None:
        """
        A host that refuses the rest of an upload answers and closes, with a part of it
        unread, so its system sends a reset. The client gets the answer, which was sent
        before that (RFC 9112, section 9.6), and then the reset. HAProxy and nginx do
        the same.
        """
        client, server = await self.connected(self.host())
        chunk = bytes(1 << 18)
        quiet = 0

        def stuck() -> bool:
            nonlocal quiet
            quiet = 0 if client.write(chunk) else quiet + 1
            return quiet > 50

        await until(self.reactor, stuck, "an upload that goes no further")
        await server.writeAll(ANSWER)
        server.close()
        client.write(chunk)
        await client.expectAll(ANSWER)
        await self.over(Outcome.HOST_RESET)
        self.assertTrue(self.pool.getHost("host").isIn)

    async def test_questionBehindAReset(self: Any) -> None:
        """
        The bytes that a client sent before its reset reach the host.
        """
        client, server = await self.connected(self.host())
        await client.writeAll(ANSWER)
        await server.writeAll(b"unread")
        await until(self.reactor, lambda: client.hasSomething, "bytes to the client")
        client.close()
        await server.expectAll(ANSWER)
        await self.over(Outcome.CLIENT_RESET)

    async def test_resetRightAfterAccept(self: Any) -> None:
        """
        A host that answers and resets right after accepting was reached: the client
        gets the answer, and the host has not failed.
        """
        host = self.host()
        for number in range(1, 31):
            client, fd = self.client()
            self.begin(fd)
            server = await host.accept()
            server.write(ANSWER)
            server.reset()
            await client.expectAll(ANSWER)
            await self.over(Outcome.HOST_RESET, number)
        counters = self.pool.getHost("host").counters
        self.assertEqual((counters.failures, counters.connections), (0, 30))
        self.assertTrue(self.pool.getHost("host").isIn)

    async def test_urgentData(self: Any) -> None:
        """
        Urgent data arrives in line, as RFC 6093 recommends: no byte of it is lost, and
        it delays no bytes behind it.
        """
        client, server = await self.connected(self.host())
        sent = b""
        for far, near in ((client, server), (server, client)):
            sent = b""
            for number in range(20):
                far.sock.send(b"x" * 1000)
                far.sock.send(b"!", socket.MSG_OOB)
                far.sock.send(b"%d" % number)
                sent += b"x" * 1000 + b"!%d" % number
            await near.expect(sent)
        # In the middle of much data, which a relay may move in another way.
        much = os.urandom(3 << 20)
        half = len(much) // 2
        await server.writeAll(much[:half], client)
        server.sock.send(b"!", socket.MSG_OOB)
        await server.writeAll(much[half:], client)
        server.finish()
        await client.expect(sent + much[:half] + b"!" + much[half:])
        await client.expectEnd()
        client.finish()
        await self.over(Outcome.DONE)

    async def test_descriptorsWithData(self: Any) -> None:
        """
        Descriptors that come with the bytes of a UNIX socket are closed, and delay no
        bytes.
        """
        if not self.unixHosts:
            return
        path = f"{self.mktemp()[-80:]}.sock"
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        client, server = await self.connected(self.host(path=path))
        before = openSockets()
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", server.sock.fileno()))
        for _ in range(20):
            server.sock.send(b"before")
            server.sock.sendmsg([b"with"], [rights])
            server.sock.send(b"after")
        await client.expect(b"beforewithafter" * 20)
        self.assertEqual(openSockets(), before)
        server.finish()
        client.finish()
        await self.over(Outcome.DONE)

    async def test_idle(self: Any) -> None:
        """
        A connection without traffic is ended.
        """
        self.relay = self.relayWith(Timeouts(idle=0.1))
        client, _ = await self.connected(self.host())
        await client.expectReset()
        await self.over(Outcome.IDLE_TIMEOUT)

    async def test_silentAfterFinish(self: Any) -> None:
        """
        If one side has finished and the other neither sends nor finishes, a shorter
        timeout applies.
        """
        self.relay = self.relayWith(Timeouts(fin=0.1))
        client, server = await self.connected(self.host())
        client.finish()
        await server.expectReset()
        await self.over(Outcome.FIN_TIMEOUT)

    async def test_abortAll(self: Any) -> None:
        """
        All connections can be ended at once.
        """
        client, server = await self.connected(self.host())
        await client.writeAll(b"x")
        await server.expect(b"x")
        self.relay.abortAll()
        await client.expectReset()
        await server.expectReset()
        await self.over(Outcome.STOPPED)

    # Connecting

    async def test_nextHost(self: Any) -> None:
        """
        If a host refuses, the next one gets the client and all its bytes.
        """
        dead = self.host("dead")
        alive = self.host("alive")
        dead.close()
        client, fd = self.client()
        await client.writeAll(b"question")
        self.begin(fd)
        server = await alive.accept()
        self.addCleanup(server.close)
        await server.expect(b"question")
        client.finish()
        server.finish()
        result = await self.over(Outcome.DONE)
        self.assertEqual(result.dial.tries, 2)
        self.assertEqual(self.pool.getHost("dead").passive.state, PassiveState.DOWN)
        self.assertEqual(self.pool.getHost("dead").counters.failures, 1)

    async def test_noHost(self: Any) -> None:
        """
        If every host refuses, the client is closed.
        """
        self.host().close()
        client, fd = self.client()
        self.begin(fd)
        await client.expectEnd()
        await until(self.reactor, lambda: bool(self.results), "the end")
        gaveUp = self.results[0].gaveUp
        self.assertEqual(gaveUp.reason, GaveUpReason.UNREACHABLE)
        self.assertEqual(gaveUp.failure.kind, FailureKind.REFUSED)
        self.assertEqual((self.pool.active, self.relay.connectionCount()), (0, 0))

    # Several addresses

    async def test_otherAddressRefuses(self: Any) -> None:
        """
        If the first address of a host's name refuses, the same client gets the second,
        and later clients begin there. The host is up, because it was reached.
        """
        for dead in (1, 3):
            alive, name = self.place(), f"host{dead}"
            self.addCleanup(alive.close)
            self.namedHost(name, *(self.refusing() for _ in range(dead)), alive)
            client, fd = self.client()
            await client.writeAll(b"question")
            self.begin(fd)
            server = await alive.accept()
            self.addCleanup(server.close)
            await server.expect(b"question")
            client.finish()
            server.finish()
            result = await self.over(Outcome.DONE, len(self.results) + 1)
            host = self.pool.getHost(name)
            self.assertEqual((result.dial.tries, host.counters.failures), (1, 0))
            self.assertEqual(host.passive.state, PassiveState.UP)
            self.assertEqual(host.address, host.addresses[-1])
            self.pool.removeHost(name)

    async def test_otherAddressIsSilent(self: Any) -> None:
        """
        If the first address does not answer, the second is tried as well after 250 ms
        (RFC 8305, section 5), long before C{connectTimeout}, for all clients of that
        time. The connections to the first leave no object behind.
        """
        alive = self.place()
        self.addCleanup(alive.close)
        self.namedHost("host", self.silent(), alive)
        began, before = time.monotonic(), openSockets()
        clients = [self.client() for _ in range(5)]
        for _, fd in clients:
            self.begin(fd)
        servers = [await alive.accept() for _ in clients]
        took = time.monotonic() - began
        self.assertGreaterEqual(took, STAGGER)
        self.assertLess(took, self.limits.connectTimeout / 2)
        streams = [*servers, *(stream for stream, _ in clients)]
        for stream in streams:
            stream.finish()
        for stream in streams:
            await stream.expectEnd()
            stream.close()
        result = await self.over(Outcome.DONE, 5)
        self.assertGreaterEqual(result.dial.connectTime, STAGGER)
        self.assertEqual(openSockets(), before)
        host = self.pool.getHost("host")
        self.assertEqual(host.address, host.addresses[1])
        # The next one need not wait.
        client, server = await self.connected(alive)
        client.finish()
        server.finish()
        result = await self.over(Outcome.DONE, 6)
        self.assertLess(result.dial.connectTime, STAGGER)

    async def test_slowFirstAddress(self: Any) -> None:
        """
        The first address may still win after the second was tried as well.
        """
        slow = self.silent()
        self.namedHost("host", slow, self.silent())
        client, fd = self.client()
        self.begin(fd)
        await deferLater(self.reactor, 2 * STAGGER, lambda: None)
        self.assertEqual(self.results, [])
        # Now its backlog has room, and the system sends the SYN again.
        for filler in self.fillers:
            filler.close()
        with contextlib.suppress(BlockingIOError):
            while True:
                slow.sock.accept()[0].close()
        server = await slow.accept()
        client.finish()
        server.finish()
        await client.expectEnd()
        server.close()
        host = self.pool.getHost("host")
        await self.over(Outcome.DONE)
        self.assertEqual(host.address, host.addresses[0])

    async def test_noAddressAnswers(self: Any) -> None:
        """
        If no address of a host can be reached, that is one failure of the host, which
        names each address, and the next host gets the client.
        """
        dead, alive = self.refusing(), self.host("alive")
        self.namedHost("dead", dead, self.refusing())
        servers = []
        for count in (1, 2):
            client, server = await self.connected(alive)
            servers.append(server)
            client.finish()
            server.finish()
            await self.over(Outcome.DONE, count)
        host = self.pool.getHost("dead")
        self.assertEqual((host.passive.state, host.counters.failures), (PassiveState.DOWN, 1))
        self.assertIn(f"127.0.0.1:{dead.where[1]}: connection refused; ", host.reason)

    async def test_addressesAndTimeouts(self: Any) -> None:
        """
        Each address has C{connectTimeout}; all of them together have no more than
        C{dialTimeout}.
        """
        for limits, least, most, reason in (
            (DialLimits(0.4, 20.0), 0.6, 3.0, GaveUpReason.UNREACHABLE),
            (DialLimits(10.0, 0.5), 0.5, 3.0, GaveUpReason.TIMEOUT),
        ):
            self.limits = limits
            name = f"host{limits.dialTimeout:g}"
            self.namedHost(name, self.silent(), self.silent())
            client, fd = self.client()
            began, before = time.monotonic(), openSockets()
            self.begin(fd)
            await client.expectEnd()
            took = time.monotonic() - began
            self.assertGreaterEqual(took, least)
            self.assertLess(took, most)
            await until(self.reactor, lambda: self.relay.connectionCount() == 0, "the end")
            gaveUp = self.results[-1].gaveUp
            self.assertEqual((gaveUp.reason, gaveUp.failure.kind), (reason, FailureKind.TIMEOUT))

            def closed(left: int = before - 1) -> bool:
                return openSockets() == left

            await until(self.reactor, closed, "the end of the client's socket")
            self.pool.removeHost(name)

    async def test_abortAmongAddresses(self: Any) -> None:
        """
        A client that is ended while several addresses are tried leaves no object
        behind.
        """
        self.namedHost("host", self.silent(), self.silent())
        before = openSockets()
        client, fd = self.client()
        self.begin(fd)
        await deferLater(self.reactor, 2 * STAGGER, lambda: None)
        self.assertEqual(openSockets(), before + 4)
        self.relay.abortAll()
        await client.expectEnd()
        client.close()
        await until(self.reactor, lambda: openSockets() == before, "nothing left")
        self.assertEqual((self.pool.active, self.relay.connectionCount()), (0, 0))
        self.assertEqual(self.pool.getHost("host").counters.failures, 0)

    # Times

    async def test_connectTimeout(self: Any) -> None:
        """
        If a host does not answer in time, the client goes on to the next one.
        """
        self.limits = DialLimits(connectTimeout=0.2, dialTimeout=20.0)
        self.silentHost("silent")
        alive = self.host("alive")
        client, server = await self.connected(alive)
        client.finish()
        server.finish()
        result = await self.over(Outcome.DONE)
        self.assertEqual(result.dial.tries, 2)
        self.assertTrue(result.dial.connectTime >= 0.2)

    async def test_dialTimeout(self: Any) -> None:
        """
        The search for a host takes no longer than C{dialTimeout}.
        """
        self.limits = DialLimits(connectTimeout=10.0, dialTimeout=0.2)
        self.silentHost("silent")
        client, fd = self.client()
        self.begin(fd)
        await client.expectEnd()
        await until(self.reactor, lambda: bool(self.results), "the end")
        self.assertEqual(self.results[0].gaveUp.reason, GaveUpReason.TIMEOUT)

    async def test_abortWhileConnecting(self: Any) -> None:
        """
        A client can be ended while its host is searched for.
        """
        self.silentHost("silent")
        client, fd = self.client()
        self.begin(fd)
        self.assertEqual((self.pool.active, self.relay.connectionCount()), (1, 1))
        self.relay.abortAll()
        await client.expectEnd()
        self.assertEqual((self.pool.active, self.relay.connectionCount()), (0, 0))
        self.assertEqual(self.results[0].lease, None)
        self.assertEqual(self.pool.getHost("silent").counters.failures, 0)
