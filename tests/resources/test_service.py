"""
Tests for L{txlb.resources._service}, L{txlb.resources._serving},
L{txlb.resources._measures}.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from types import SimpleNamespace
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.sleeping import SleepingClock
from txlb.deadlines import Deadlines
from txlb.errors import AddressError, ListenError, ModelError, TxlbError
from txlb.model import TCPAddress, UNIXAddress
from txlb.resources import AgentService, MachineMeasure, ProcessMeasure
from txlb.resources._serving import PATIENCE, AgentFactory
from txlb.testing._streams import until
from txlb.wire import AgentReply, formatAgentReply


class Machine:
    """
    A library that says what the test says.
    """

    def __init__(self, cpu: float = 0.0, free: float = 1.0, load: float = 0.0) -> None:
        self.cpu, self.free, self.load = cpu, free, load
        self.user = 0.0

    def cpu_percent(self, interval: None) -> float:
        return self.cpu

    def virtual_memory(self) -> Any:
        return SimpleNamespace(available=self.free * 1000, total=1000)

    def getloadavg(self) -> tuple[float, float, float]:
        return self.load, 0.0, 0.0

    def cpu_count(self) -> int:
        return 4

    def Process(self) -> Any:
        return SimpleNamespace(cpu_times=lambda: SimpleNamespace(user=self.user, system=0.0))


class MeasureTests(SynchronousTestCase):
    def test_machine(self) -> None:
        """
        The scarcest thing counts.
        """
        for machine, left in (
            (Machine(), 1.0),
            (Machine(cpu=60.0), 0.4),
            (Machine(cpu=100.0), 0.0),
            (Machine(free=0.5), 1.0),
            (Machine(free=0.05), 0.25),
            (Machine(load=4.0), 1.0),
            (Machine(load=16.0), 0.25),
            (Machine(cpu=90.0, free=0.1, load=8.0), 0.1),
        ):
            self.assertAlmostEqual(MachineMeasure(machine).left(0.0), left)

    def test_process(self) -> None:
        """
        What is left of one CPU, and of a reactor that is late.
        """
        machine, clock = Machine(), Clock()
        measure = ProcessMeasure(clock.seconds, machine)
        clock.advance(1.0)
        machine.user += 0.75
        self.assertAlmostEqual(measure.left(0.0), 0.25)
        self.assertAlmostEqual(measure.left(0.0), 0.25)
        clock.advance(1.0)
        self.assertAlmostEqual(measure.left(0.0), 1.0)
        self.assertAlmostEqual(measure.left(0.05), 0.5)
        clock.advance(1.0)
        machine.user += 5.0
        self.assertEqual(measure.left(0.0), 0.0)

    def test_real(self) -> None:
        """
        With the library itself.
        """
        clock = Clock()
        for measure in (MachineMeasure(), ProcessMeasure(clock.seconds)):
            clock.advance(1)
            self.assertTrue(0 <= measure.left(0.0) <= 1)

    def test_missing(self) -> None:
        """
        Where psutil is missing that is said, with the remedy.
        """
        self.patch(sys, "modules", {**sys.modules, "psutil": None})
        for scope in ("machine", "process"):
            error = self.assertRaises(TxlbError, AgentService, scope=scope)
            self.assertIn("pip install 'txlb[resources]'", str(error))
            # It is read on the terminal of twistd txlb-agent, too.
            self.assertNotIn("scope=", str(error))
        AgentService(scope=None, available=lambda: 1.0)


class ReplyTests(SynchronousTestCase):
    """
    What an agent says.
    """

    def setUp(self) -> None:
        self.own: Any = 1.0
        self.agent = AgentService(scope="machine", available=self.available)

    def available(self) -> Any:
        if isinstance(self.own, Exception):
            raise self.own
        return self.own

    def line(self) -> bytes:
        return formatAgentReply(self.agent.reply())

    def test_percent(self) -> None:
        """
        The least of what is measured and what the application says.
        """
        for samples, own, line in (
            ([], 1.0, b"100%\n"),
            ([], None, b"\n"),
            ([0.5], None, b"50%\n"),
            ([0.5, 0.7, 0.6], 1.0, b"60%\n"),
            ([0.5], 0.2, b"20%\n"),
            ([0.0], 1.0, b"1%\n"),
            ([0.5], 0.0, b"0%\n"),
            ([0.5], 0.0001, b"1%\n"),
        ):
            self.agent._samples.clear()
            self.agent._samples.extend(samples)
            self.own = own
            self.assertEqual(self.line(), line)

    def test_broken(self) -> None:
        """
        What the application raises, or says wrongly, is logged once, and nothing
        is said.
        """
        self.own = RuntimeError("a bug")
        self.assertEqual([self.line(), self.line()], [b"\n", b"\n"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.own = 0.5
        self.assertEqual(self.line(), b"50%\n")
        self.own = 50
        self.assertEqual(self.line(), b"\n")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_words(self) -> None:
        """
        It takes back only what it said.
        """
        agent = self.agent
        agent.drain()
        self.assertEqual(self.line(), b"drain 100%\n")
        agent.maintenance()
        self.assertEqual(self.line(), b"maint 100%\n")
        agent.ready()
        agent.down("no disk")
        agent.connections = 30
        self.assertEqual(self.line(), b"ready down 100% maxconn:30 #no disk\n")
        agent.up()
        self.assertEqual(self.line(), b"ready up 100% maxconn:30\n")
        self.assertRaises(ValueError, agent.down, "two\nlines")
        self.assertEqual(self.line(), b"ready up 100% maxconn:30\n")

    def test_wrong(self) -> None:
        for wrong in ({"scope": "all"}, {"scope": None}, {"interval": 0.01}):
            self.assertRaises(ModelError, AgentService, **wrong)
        for listen in ("nowhere:x", "systemd:web"):
            self.assertRaises(AddressError, AgentService, listen)


class ServingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        deadlines = Deadlines(self.clock, self.clock.seconds)
        self.factory = AgentFactory(lambda: AgentReply(percent=7), deadlines, 2)

    def connect(self) -> tuple[Any, Any]:
        protocol, transport = self.factory.buildProtocol(None), Transport()
        if protocol is not None:
            protocol.makeConnection(transport)
        return protocol, transport

    def test_answer(self) -> None:
        protocol, transport = self.connect()
        self.assertEqual(transport.value(), b"7%\n")
        self.assertTrue(transport.halfClosed)
        protocol.dataReceived(b"x" * 100)
        protocol.readConnectionLost()
        self.assertTrue(transport.disconnecting)
        protocol.connectionLost()
        self.assertEqual((self.factory.open, len(self.factory.deadlines)), (set(), 0))

    def test_bounded(self) -> None:
        """
        So many may ask at once, and so long.
        """
        first, transport = self.connect()
        self.connect()
        self.assertIsNone(self.connect()[0])
        self.clock.pump([1.0] * int(PATIENCE + 1))
        self.assertTrue(transport.aborted)
        first.connectionLost()
        self.assertIsNotNone(self.connect()[0])
        self.factory.closeAll()

    def test_sleep(self) -> None:
        """
        While the process sleeps nobody can be served, so that is not counted.
        """
        clock = SleepingClock()
        self.factory.deadlines = Deadlines(clock, clock.seconds)
        protocol, transport = self.connect()
        clock.sleep(60)
        clock.decide()
        self.assertFalse(transport.aborted)
        protocol.readConnectionLost()
        self.assertTrue(transport.disconnecting)
        clock.pump([0.5] * int(2 * PATIENCE + 4))
        self.assertTrue(transport.aborted)
        protocol.connectionLost()


class Transport(StringTransport):
    halfClosed = aborted = False

    def loseWriteConnection(self) -> None:
        self.halfClosed = True

    def abortConnection(self) -> None:
        self.aborted = True


class AgentServiceTests(TestCase):
    """
    On real sockets.
    """

    async def ask(self, agent: AgentService) -> bytes:
        (address,) = agent.addresses
        text = str(address)
        if text.startswith("unix:"):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(text.removeprefix("unix:"))
        else:
            family = socket.AF_INET6 if text.startswith("[") else socket.AF_INET
            sock = socket.socket(family)
            host, port = text.rsplit(":", 1)
            sock.connect(({"[::]": "::1"}.get(host, host.strip("[]")), int(port)))
        self.addCleanup(sock.close)
        # Sent before the answer is read: the answer must not be lost by it.
        sock.sendall(b"who are you?\n")
        sock.setblocking(False)
        heard = b""
        over = False

        def read() -> bool:
            nonlocal heard, over
            try:
                data = sock.recv(100)
            except BlockingIOError:
                return False
            heard += data
            over = not data
            return over

        from twisted.internet import reactor  # noqa: PLC0415

        await until(reactor, read, "the agent's answer")
        return heard

    async def test_addresses(self) -> None:
        """
        By TCP of both kinds, and on a UNIX socket that is its owner's alone.
        """
        path = self.mktemp()
        short = os.path.relpath(path)
        for listen in ("127.0.0.1:0", "[::1]:0", "*:0", f"unix:{os.path.abspath(short)}"):
            if len(listen) > 100:
                continue
            agent = AgentService(listen, scope=None, available=lambda: 0.25)
            agent.privilegedStartService()
            agent.startService()
            try:
                self.assertEqual(await self.ask(agent), b"25%\n")
                if listen.startswith("unix:"):
                    self.assertEqual(os.stat(listen[5:]).st_mode & 0o777, 0o600)
                    # Another program's socket has come in its place.
                    os.unlink(listen[5:])
                    with socket.socket(socket.AF_UNIX) as other:
                        other.bind(listen[5:])
            finally:
                await maybeDeferred(agent.stopService)
            self.assertEqual(agent.addresses, [])
            if listen.startswith("unix:"):
                os.unlink(listen[5:])

    def resolving(self, *hosts: str) -> None:
        """
        Let every name have these addresses.
        """
        found = [
            (socket.AF_INET6, 1, 6, "", (host, 0, 0, 0))
            if ":" in host
            else (socket.AF_INET, 1, 6, "", (host, 0))
            for host in hosts
        ]
        self.patch(socket, "getaddrinfo", lambda *_, **__: found)

    async def test_names(self) -> None:
        """
        At a name it listens on all addresses of the name, with one port.
        """
        agent = AgentService("localhost:0", scope=None, available=lambda: 1.0)
        self.resolving("127.0.0.1", "127.0.0.2")
        agent.startService()
        first, second = agent.addresses
        assert isinstance(first, TCPAddress)
        self.assertEqual(second, TCPAddress("127.0.0.2", first.port))
        for host in ("127.0.0.1", "127.0.0.2"):
            with socket.socket() as sock:
                sock.connect((host, first.port))
        await maybeDeferred(agent.stopService)
        self.assertEqual(agent.addresses, [])

    async def test_namesInPart(self) -> None:
        """
        IPv6 is left out on a machine that has none; any other address that can't be
        had is an error, and then it listens nowhere.
        """
        listened: list[object] = []
        refused: dict[str, int] = {}

        class Port:
            def getHost(self) -> IPv4Address:
                return IPv4Address("TCP", "127.0.0.1", 4711)

            def stopListening(self) -> None:
                listened.append("stopped")

        def listenTCP(port: int, _: object, interface: str = "") -> Port:
            listened.append((interface, port))
            if interface in refused:
                raise CannotListenError(interface, port, OSError(refused[interface], "no"))
            return Port()

        agent = AgentService("localhost:0", scope=None, available=lambda: 1.0)
        agent._reactor = SimpleNamespace(listenTCP=listenTCP)
        self.resolving("::1", "127.0.0.1")
        refused["::1"] = errno.EAFNOSUPPORT
        agent.bind()
        self.assertEqual(listened, [("::1", 0), ("127.0.0.1", 0)])
        self.assertEqual(agent.addresses, [TCPAddress("127.0.0.1", 4711)])
        await maybeDeferred(agent.stopService)
        for hosts, number, stopped in (
            (("::1",), errno.EAFNOSUPPORT, 0),
            (("::1", "127.0.0.1"), errno.EADDRINUSE, 0),
            (("127.0.0.1", "::1"), errno.EADDRINUSE, 1),
        ):
            listened.clear()
            refused["::1"] = number
            self.resolving(*hosts)
            self.assertRaises(ListenError, agent.bind)
            self.assertEqual(listened.count("stopped"), stopped)
            self.assertEqual(agent.addresses, [])

    def test_permissions(self) -> None:
        """
        Its UNIX socket is for whom the address says.
        """
        path = os.path.relpath(self.mktemp())
        agent = AgentService(UNIXAddress(path, mode=0o666), scope=None, available=lambda: 1.0)
        agent.bind()
        self.addCleanup(agent.stopService)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o666)
        wrong = AgentService(UNIXAddress(f"{path}2", group="nosuch"), scope=None, available=float)
        self.assertIn("no group 'nosuch'", str(self.assertRaises(ListenError, wrong.bind)))

    async def test_oneFamily(self) -> None:
        """
        Where there is no IPv6, every interface is those of IPv4.
        """
        agent = AgentService("*:0", scope=None, available=lambda: 1.0)
        from twisted.internet import reactor as installed  # noqa: PLC0415

        reactor: Any = installed
        listen = reactor.listenTCP

        def listenTCP(port: int, factory: object, interface: str = "") -> object:
            if ":" in interface:
                raise CannotListenError(interface, port, OSError("no such family"))
            return listen(port, factory, interface=interface)

        agent._reactor = SimpleNamespace(listenTCP=listenTCP, callLater=reactor.callLater)
        agent.startService()
        self.assertEqual(await self.ask(agent), b"100%\n")
        await maybeDeferred(agent.stopService)

    async def test_unmeasured(self) -> None:
        """
        A measurement that fails is logged, and nothing is said until one
        succeeds.
        """
        agent = AgentService("127.0.0.1:0", scope="machine")
        agent._samples.append(0.5)
        agent._measure = None
        agent._take(0.0)
        self.assertEqual(agent.reply(), AgentReply(percent=50))
        agent._measure = MachineMeasure(Machine())
        agent._measure._psutil.cpu_count = None
        agent._take(0.0)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)
        self.assertTrue(agent.reply().isEmpty)
        self.assertIsNone(await maybeDeferred(agent.stopService))

    async def test_taken(self) -> None:
        agent = AgentService("127.0.0.1:0", scope=None, available=lambda: 1.0)
        agent.bind()
        other = AgentService(agent.addresses[0], scope=None, available=lambda: 1.0)
        error = self.assertRaises(ListenError, other.bind)
        self.assertIn("in use", str(error))
        await maybeDeferred(agent.stopService)

    async def test_measures(self) -> None:
        """
        It measures at its interval.
        """
        agent = AgentService("127.0.0.1:0", scope="process", interval=0.1)
        agent.startService()
        from twisted.internet import reactor  # noqa: PLC0415

        await until(reactor, lambda: len(agent._samples) == 3, "three measurements")
        line = await self.ask(agent)
        self.assertTrue(line.endswith(b"%\n"), line)
        await maybeDeferred(agent.stopService)
