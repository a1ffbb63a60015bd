"""
Tests for L{txlb.proxy._connectiontable}.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase, TestCase

from txlb.deadlines import Deadlines
from txlb.errors import UnknownConnection
from txlb.model import TCPAddress
from txlb.pool import Outcome
from txlb.proxy import ConnectionTable, FastRelay, Loop, PortableRelay, Timeouts
from txlb.testing._stage import RelayStage
from txlb.testing._streams import until

HOST = TCPAddress("10.0.0.1", 80)
OTHER = TCPAddress("10.0.0.2", 80)
US = ("10.9.9.9", 40_000)


class ConnectionTableTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.table = ConnectionTable()

    def unknown(self, *question: Any) -> str:
        return str(self.assertRaises(UnknownConnection, self.table.clientOf, *question))

    def test_found(self) -> None:
        """
        It is known as long as it lasts.
        """
        tracked = self.table.add(US, HOST, ("192.0.2.1", 5))
        assert tracked is not None
        self.assertEqual(self.table.clientOf(*US), ("192.0.2.1", 5))
        self.assertEqual(self.table.clientOf(*US, "10.0.0.1", 80), ("192.0.2.1", 5))
        self.table.remove(tracked)
        self.assertEqual(
            self.unknown(*US), "no connection to a host comes from 10.9.9.9 port 40000"
        )
        self.assertEqual(len(self.table), 0)

    def test_otherHost(self) -> None:
        """
        One that was accepted elsewhere is another one.
        """
        self.table.add(US, HOST, ("192.0.2.1", 5))
        self.unknown(*US, "10.0.0.2", 80)
        self.unknown(*US, "10.0.0.1", 81)

    def test_samePort(self) -> None:
        """
        The same port of ours may go to two hosts; a wrong client is never told.
        """
        first = self.table.add(US, HOST, ("192.0.2.1", 5))
        self.table.add(US, OTHER, ("192.0.2.2", 6))
        self.assertIn("say at which address and port this one was accepted", self.unknown(*US))
        self.assertEqual(self.table.clientOf(*US, "10.0.0.1", 80), ("192.0.2.1", 5))
        self.assertEqual(self.table.clientOf(*US, "10.0.0.2", 80), ("192.0.2.2", 6))
        assert first is not None
        self.table.remove(first)
        self.assertEqual(self.table.clientOf(*US), ("192.0.2.2", 6))

    def test_mapped(self) -> None:
        """
        A host that listens for both kinds of address sees an IPv4 one in the clothes
        of an IPv6 one; and IPv6 has many ways to write an address.
        """
        self.table.add(US, HOST, ("192.0.2.1", 5))
        self.assertEqual(
            self.table.clientOf("::ffff:10.9.9.9", 40_000, "::ffff:10.0.0.1", 80),
            ("192.0.2.1", 5),
        )
        self.table.add(("fd00::1", 7, 0, 0), TCPAddress("fd00::2", 80), ("192.0.2.2", 6))
        self.assertEqual(self.table.clientOf("fd00:0::0001", 7), ("192.0.2.2", 6))

    def test_zone(self) -> None:
        """
        The zone of a link-local address is another one on the host's machine.
        """
        self.table.add(("fe80::1", 7, 0, 2), TCPAddress("fe80::2%eth0", 80), ("192.0.2.1", 5))
        for host, server in (
            ("fe80::1", None),
            ("fe80::1%enp3s0", None),
            ("fe80::1%enp3s0", "fe80::2%enp3s0"),
            ("fe80::1", "fe80::2"),
        ):
            self.assertEqual(self.table.clientOf(host, 7, server), ("192.0.2.1", 5))
        self.unknown("fe80::1", 7, "fe80::3")

    def test_unix(self) -> None:
        """
        Ends of a UNIX socket have no names.
        """
        self.assertIsNone(self.table.add("", "/run/host", ("192.0.2.1", 5)))
        self.assertIsNone(self.table.add(US, "", ("192.0.2.1", 5)))
        self.unknown("", 0)

    @given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.booleans()), max_size=60))
    def test_always(self, steps: list[tuple[int, int, bool]]) -> None:
        """
        Whatever comes and goes, what is told is right, and nothing is left.
        """
        table = ConnectionTable()
        there: dict[tuple[int, int], tuple[Any, int]] = {}
        for number, (port, host, comes) in enumerate(steps):
            if comes and (port, host) not in there:
                where = TCPAddress("10.0.0.1", host + 1)
                there[port, host] = table.add(("10.9.9.9", port), where, number), number
            elif not comes and (port, host) in there:
                table.remove(there.pop((port, host))[0])
            self.assertEqual(len(table), len(there))
            for (p, h), (_, client) in there.items():
                self.assertEqual(table.clientOf("10.9.9.9", p, "10.0.0.1", h + 1), client)
        for tracked, _ in there.values():
            table.remove(tracked)
        self.assertEqual(table._connections, {})


class RelayTable(RelayStage):
    """
    What both relays note.
    """

    table: ConnectionTable

    async def asked(self: Any, server: Any) -> object:
        return self.table.clientOf(*server.sock.getpeername(), *server.sock.getsockname())

    async def test_nobodyAsks(self: Any) -> None:
        """
        Where nobody asks, nothing is kept.
        """
        client, server = await self.connected(self.host())
        await client.writeAll(b"x")
        await server.expect(b"x")
        self.assertEqual(len(self.table), 0)
        client.reset()
        await self.over(Outcome.CLIENT_RESET)

    async def test_askedLater(self: Any) -> None:
        """
        The first question finds connections that are there already.
        """
        client, server = await self.connected(self.host())
        await client.writeAll(b"x")
        await server.expect(b"x")
        self.table.tracking = True
        self.relay.trackConnections()
        self.relay.trackConnections()
        self.assertEqual(len(self.table), 1)
        self.assertEqual(await self.asked(server), ("127.0.0.1", 1))
        client.finish()
        server.finish()
        await self.over(Outcome.DONE)
        self.assertEqual(len(self.table), 0)

    async def test_keeping(self: Any) -> None:
        """
        Those that come later are there, and gone at their end, however it comes.
        """
        self.table.tracking = True
        client, server = await self.connected(self.host())
        await client.writeAll(b"x")
        await server.expect(b"x")
        self.assertEqual(await self.asked(server), ("127.0.0.1", 1))
        server.reset()
        await self.over(Outcome.HOST_RESET)
        self.assertEqual(len(self.table), 0)

    async def test_notReached(self: Any) -> None:
        """
        A host that can't be reached leaves nothing behind.
        """
        self.table.tracking = True
        host = self.host()
        host.close()
        _, fd = self.client()
        self.begin(fd)
        await until(self.reactor, lambda: bool(self.results), "the end")
        self.assertEqual(len(self.table), 0)

    async def test_unixHost(self: Any) -> None:
        """
        A host that is a socket in the file system can't ask.
        """
        self.table.tracking = True
        path = f"{self.mktemp()[-80:]}.sock"
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        client, server = await self.connected(self.host(path=path))
        self.relay.trackConnections()
        self.assertEqual(len(self.table), 0)
        client.finish()
        server.finish()
        await self.over(Outcome.DONE)


class FastTableTests(RelayTable, TestCase):
    def makeRelay(
        self, reactor: Any, deadlines: Deadlines, timeouts: Timeouts, ended: Any
    ) -> FastRelay:
        self.table = ConnectionTable()
        self.loop = Loop(reactor, deadlines)
        self.loop.start()
        self.addCleanup(self.loop.stop)
        return FastRelay(self.loop, timeouts, ended, self.table)

    async def test_connecting(self) -> None:
        """
        It is known before the host can see it.
        """
        self.table.tracking = True
        host = self.host()
        _, fd = self.client()
        self.begin(fd)
        self.assertEqual(len(self.table), 1)
        server = await host.accept()
        self.addCleanup(server.close)
        self.relay.abortAll()
        self.assertEqual(len(self.table), 0)


class PortableTableTests(RelayTable, TestCase):
    def makeRelay(
        self, reactor: Any, deadlines: Deadlines, timeouts: Timeouts, ended: Any
    ) -> PortableRelay:
        self.table = ConnectionTable()
        return PortableRelay(reactor, deadlines, timeouts, ended, self.table)
