"""
Checks of a host whose name has several addresses.
"""

from __future__ import annotations

import socket
import time
from dataclasses import replace
from unittest import mock

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from tests.health.fakes import HeartbeatCase
from tests.health.test_conversations import Playing
from tests.health.test_heartbeat import CHECK
from txlb.connecting import STAGGER
from txlb.health import Sockets, Target, Tools, Verdict
from txlb.health._reactorwatcher import ReactorWatcher
from txlb.model import Address, TCPAddress
from txlb.testing._stage import openSockets
from txlb.testing._streams import until


class RacingCheckTests(Playing):
    """
    With real sockets.
    """

    def place(self, backlog: int | None = None) -> TCPAddress:
        """
        @param backlog: 0 for a place that does not answer; L{None} for one that refuses.
        """
        sock = socket.socket()
        self.addCleanup(sock.close)
        sock.bind(("127.0.0.1", 0))
        where = sock.getsockname()
        if backlog is not None:
            sock.listen(backlog)
            for _ in range(2):
                filler = socket.socket()
                self.addCleanup(filler.close)
                filler.setblocking(False)
                filler.connect_ex(where)
        return TCPAddress(*where)

    def at(self, *addresses: Address, timeout: float = 5.0) -> Target:
        return Target(
            ("s", "g", "h"), addresses[0], "host.example", timeout, b"", tuple(addresses[1:])
        )

    @property
    def good(self) -> TCPAddress:
        return TCPAddress(*self.host.where)

    async def test_refused(self) -> None:
        """
        The next address is tried at once. The verdict says where the host was reached,
        so that clients begin there.
        """
        target = self.at(self.place(), self.place(), self.good)
        verdict = await self.begin("tcp", {}, target)
        self.assertEqual(verdict, Verdict(True, "connected", address=self.good))

    async def test_silent(self) -> None:
        """
        The next address is tried beside the first after 250 ms.
        """
        target = self.at(self.place(0), self.good)
        before, began = openSockets(), time.monotonic()
        running = self.begin("http", {}, target)
        stream = await self.host.accept()
        self.addCleanup(stream.close)
        took = time.monotonic() - began
        self.assertGreaterEqual(took, STAGGER)
        self.assertLess(took, 3)
        await stream.writeAll(b"HTTP/1.0 204 No Content\r\n\r\n")
        stream.finish()
        verdict = await running
        self.assertTrue(verdict.passed)
        self.assertEqual(verdict.address, self.good)
        self.assertEqual(openSockets(), before + 1)

    async def test_first(self) -> None:
        """
        A host that is reached where the check was sent says nothing of addresses.
        """
        verdict = await self.begin("tcp", {}, self.at(self.good, self.place()))
        self.assertEqual(verdict, Verdict(True, "connected"))

    async def test_none(self) -> None:
        """
        If no address can be reached the verdict says so of each.
        """
        one, two = self.place(), self.place()
        verdict = await self.begin("tcp", {}, self.at(one, two))
        said = f"{one}: connection refused; {two}: connection refused"
        self.assertEqual(verdict, Verdict(False, said))

    async def test_timeout(self) -> None:
        """
        Each address has its turn within the time of the check, however short it is.
        """
        target = self.at(self.place(0), self.place(0), self.good, timeout=0.3)
        verdict = await self.begin("tcp", {}, target)
        self.assertTrue(verdict.passed, verdict.detail)
        silent = self.at(self.place(0), self.place(0), timeout=0.3)
        verdict = await self.begin("tcp", {}, silent)
        self.assertIs(verdict.passed, False)
        self.assertIn("no answer in time", verdict.detail)

    async def test_cancelled(self) -> None:
        """
        A check that is cancelled while several addresses are tried leaves nothing.
        """
        target = self.at(self.place(0), self.place(0))
        before = openSockets()
        running = self.begin("tcp", {}, target)
        sockets = self.watcher()
        await until(reactor, lambda: len(sockets._calls) == 2, "the second address")
        running.cancel()
        self.assertEqual(await running, Verdict(False, "no connection"))
        self.assertEqual(sockets._calls, {})
        self.assertEqual(openSockets(), before)

    async def test_noSocket(self) -> None:
        """
        Without descriptors the check counts for nothing.
        """
        target = self.at(self.place(), self.good)
        with mock.patch("txlb.health._checkrace.socket.socket", side_effect=OSError(24, "none")):
            verdict = await self.begin("tcp", {}, target)
        self.assertIs(verdict.passed, None)

    async def test_itself(self) -> None:
        """
        A socket that is connected to itself has found no host.
        """
        target = self.at(self.place(0), self.good)

        class Itself(socket.socket):
            def getpeername(self) -> object:
                return self.getsockname()

        with mock.patch("txlb.health._checkrace.socket.socket", Itself):
            verdict = await self.begin("tcp", {}, self.at(self.good, self.good))
        self.assertIs(verdict.passed, False)
        self.assertTrue((await self.begin("tcp", {}, target)).passed)

    async def test_agent(self) -> None:
        """
        An agent is looked for in the same way.
        """
        running = self.begin("agent", {}, self.at(self.place(), self.good))
        stream = await self.host.accept()
        self.addCleanup(stream.close)
        await stream.writeAll(b"up\n")
        verdict = await running
        self.assertTrue(verdict.passed)
        self.assertEqual((verdict.detail, verdict.address), ("agent: it says up", self.good))

    async def test_reactor(self) -> None:
        """
        The reactor's own way to watch does the same, on a clock of its own.
        """
        self.sockets.stop()
        sockets = Sockets(reactor, ReactorWatcher(reactor))
        self.addCleanup(sockets.stop)
        self.tools = Tools(reactor, self.deadlines, sockets)
        self.sockets = sockets
        found = [
            await self.begin("tcp", {}, self.at(first, self.good))
            for first in (self.place(), self.place(0))
        ]
        self.assertEqual(found, [Verdict(True, "connected", address=self.good)] * 2)


class PreferenceTests(HeartbeatCase, SynchronousTestCase):
    """
    What a check finds of a host's addresses, for those who come next.
    """

    ADDRESSES = tuple(TCPAddress(f"192.0.2.{number}", 80) for number in (1, 2, 3))

    def named(self, port: int | None = None) -> None:
        """
        Begin to check a host whose name has three addresses.
        """
        self.beat(check=replace(CHECK, port=port))
        pool = self.manager.getPool("web", "group")
        self.manager.addHost("web", "group", "named", "host.example:80")
        pool.setAddresses("named", self.ADDRESSES)
        self.named_ = pool.getHost("named")

    def test_target(self) -> None:
        """
        A check is told all addresses, the one that clients get first.
        """
        self.named()
        self.named_.prefer(self.ADDRESSES[1])
        self.run_(2.5)
        target = next(each for each in self.world.targets if each.key[2] == "named")
        one, two, three = self.ADDRESSES
        self.assertEqual((target.address, target.others), (two, (three, one)))

    def test_ownPort(self) -> None:
        """
        With the port of the check, if it has one.
        """
        self.named(81)
        self.run_(2.5)
        target = next(each for each in self.world.targets if each.key[2] == "named")
        expected = tuple(replace(each, port=81) for each in self.ADDRESSES)
        self.assertEqual((target.address, *target.others), expected)

    def test_preferred(self) -> None:
        """
        Clients begin where a check has reached the host. A port of the check's own
        says nothing of where clients are served.
        """
        for port, place in ((None, 2), (81, 0)):
            self.named(port)
            self.world.answer = Verdict(
                True, "well", address=replace(self.ADDRESSES[2], port=port or 80)
            )
            self.run_(2.5)
            self.assertEqual(self.named_.address, self.ADDRESSES[place])
